package wschan

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

// counted is a connection that counts the calls of Write.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

type countedListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return counted{conn, l.writes}, err
}

// The library writes a client's message 4 KiB at a time, a server's in two
// pieces, and TLS whatever it is given 16 KiB at a time.
func TestMessageLeavesInOneWrite(t *testing.T) {
	for name, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(name, func(t *testing.T) { leavesInOneWrite(t, secure) })
	}
}

func leavesInOneWrite(t *testing.T, secure bool) {
	var up, down atomic.Int64
	opts := Options{Secure: secure}
	l, err := NewHandler(&opts)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config, err := opts.serverTLS()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, listener := "ws", net.Listener(countedListener{socket, &down})
	client := http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return counted{conn, &up}, err
	}}
	if secure {
		scheme, listener = "wss", NewTLSListener(listener, config)
		if client.TLSClientConfig, err = pinned.Client(pinned.Pin(config.Certificates[0])); err != nil {
			t.Fatal(err)
		}
		dial := client.DialContext
		client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return &records{Conn: conn}, err
		}
	}
	server := &http.Server{Handler: l}
	go server.Serve(listener)
	defer server.Close()
	a := dial(t, scheme+"://"+socket.Addr().String(), &Options{Client: &http.Client{Transport: &client}})
	b := accept(t, l)

	for _, way := range []struct {
		from, to *Channel
		writes   *atomic.Int64
	}{{a, b, &up}, {b, a, &down}} {
		for _, size := range []int{0, 1, 125, 126, 4090, 48 << 10, 1<<16 - 14, 1 << 16, 1<<16 + 1, 1 << 20} {
			before := way.writes.Load()
			if err := way.from.Send(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if m := receive(t, way.to); len(m.Data) != size {
				t.Fatalf("%d bytes of %d", len(m.Data), size)
			}
			if err := transport.Drain(t.Context(), way.from, 0); err != nil {
				t.Fatal(err)
			}
			if got, most := way.writes.Load()-before, int64(size/gatherSize+1); got > most {
				t.Errorf("%d bytes left in %d writes, want at most %d", size, got, most)
			}
		}
	}
}

// recorder is what a stream writes to.
type recorder struct {
	net.Conn
	got []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.got = append(r.got, p...)
	return len(p), nil
}

// Nothing but the message may be held back: behind a close frame the library
// closes the connection.
func TestControlFrameIsNotHeldBack(t *testing.T) {
	var r recorder
	s := &stream{ReadWriteCloser: &r}
	s.expect(append(make([]byte, maxHeader), "abc"...))
	s.Write([]byte{fin | opClose, 0})
	if string(r.got) != "\x88\x00" {
		t.Errorf("a control frame before the message: %x", r.got)
	}
	s.Write([]byte{fin | opBinary, 3})
	s.Write([]byte("ab"))
	if len(r.got) != 2 {
		t.Errorf("a message that is not complete: %x", r.got)
	}
	s.Write([]byte("c"))
	s.Write([]byte{fin | opPong, 0})
	if string(r.got) != "\x88\x00\x82\x03abc\x8a\x00" {
		t.Errorf("wrote %x", r.got)
	}
}
