package quicchan_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

func TestPins(t *testing.T) {
	l, other := listen(t, nil), listen(t, nil)
	ctx := testContext(t)
	if _, err := quicchan.Dial(ctx, l.URL(), &quicchan.Options{Pin: other.Pin()}); !errors.Is(err, pinned.ErrPin) {
		t.Errorf("another listener's pin: %v, want ErrPin", err)
	}
	if _, err := quicchan.Dial(ctx, l.URL(), &quicchan.Options{Pin: "1234"}); !errors.Is(err, pinned.ErrBadPin) {
		t.Errorf("half a pin: %v, want ErrBadPin", err)
	}
	_, err := quicchan.Dial(ctx, l.URL(), nil)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("no pin: %v, want x509.UnknownAuthorityError", err)
	}
}

func TestCertificateOfAnAuthority(t *testing.T) {
	cert, err := pinned.New("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	l := listen(t, &quicchan.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if l.Pin() != pinned.Pin(cert) {
		t.Error("the listener made a certificate of its own")
	}
	ch, err := quicchan.Dial(testContext(t), l.URL(), &quicchan.Options{TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Abort()
	converse(t, ch, accept(t, l))
}

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	l := listen(t, &quicchan.Options{MaxConnections: 2})
	first := dial(t, l, nil)
	converse(t, first, accept(t, l))
	second := dial(t, l, nil)
	converse(t, second, accept(t, l))
	if _, err := tryDial(testContext(t), l, nil); !errors.Is(err, quicchan.ErrBusy) {
		t.Errorf("the third: %v, want ErrBusy", err)
	}
	first.Abort()
	for ctx := testContext(t); ; { // until the listener has heard of it
		third, err := tryDial(ctx, l, nil)
		if err == nil {
			defer third.Abort()
			converse(t, third, accept(t, l))
			return
		}
		if !errors.Is(err, quicchan.ErrBusy) {
			t.Fatal(err)
		}
	}
}

// From a quarter of the limit on, strangers must prove their address.
func TestManyConnectionsMustProveTheirAddress(t *testing.T) {
	l := listen(t, &quicchan.Options{MaxConnections: 8})
	for i, want := range []bool{false, false, true, true} {
		socket := &watchedSocket{PacketConn: newSocket(t)}
		tr := &quic.Transport{Conn: socket}
		t.Cleanup(func() { tr.Close() })
		conn := dialRaw(t, tr, l.Addr(), l.Pin(), nil)
		if got := socket.retried.Load(); got != want {
			t.Errorf("connection %d: Retry %v, want %v", i, got, want)
		}
		// The listener counts it now.
		ch, err := quicchan.Open(testContext(t), conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		converse(t, ch, accept(t, l))
	}
}

// watchedSocket notes Retry packets (RFC 9000, section 17.2.5).
type watchedSocket struct {
	net.PacketConn
	retried atomic.Bool
}

func (s *watchedSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := s.PacketConn.ReadFrom(b)
	if n > 0 && b[0]>>4 == 0xf {
		s.retried.Store(true)
	}
	return n, addr, err
}

// quic-go would warn of a socket without these.
func (s *watchedSocket) SetReadBuffer(int) error  { return nil }
func (s *watchedSocket) SetWriteBuffer(int) error { return nil }

func TestServeRefusesConnectionsBeyondTheLimit(t *testing.T) {
	l, err := quicchan.Serve(newTransport(t), &quicchan.Options{MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	converse(t, dial(t, l, nil), accept(t, l))
	second, err := tryDial(testContext(t), l, nil)
	if err == nil {
		_, err = second.Receive(testContext(t))
	}
	if !errors.Is(err, quicchan.ErrBusy) {
		t.Errorf("the second: %v, want ErrBusy", err)
	}
}

func TestStreamsBeyondTheLimitWait(t *testing.T) {
	l := listen(t, &quicchan.Options{MaxStreams: 2})
	conn := newRawClient(t, l.Addr(), l.Pin(), nil)
	for range 2 {
		if _, err := conn.OpenStream(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.OpenStream(); !errors.Is(err, &quic.StreamLimitReachedError{}) {
		t.Errorf("the third stream: %v", err)
	}
	if _, err := conn.OpenUniStream(); !errors.Is(err, &quic.StreamLimitReachedError{}) {
		t.Errorf("a unidirectional stream: %v", err)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	l := listen(t, &quicchan.Options{IdleTimeout: 200 * time.Millisecond})
	check := func(what string, conn *quic.Conn) {
		t.Helper()
		err := connectionError(t, conn)
		if e, ok := errors.AsType[*quic.ApplicationError](err); !ok || !e.Remote || e.ErrorCode != 5 {
			t.Errorf("%s: %v, want the listener's code 5", what, err)
		}
	}
	check("no channel", newRawClient(t, l.Addr(), l.Pin(), nil))

	conn := newRawClient(t, l.Addr(), l.Pin(), nil)
	a, err := quicchan.Open(testContext(t), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := accept(t, l)
	// An open channel keeps it, for much longer than the timeout.
	select {
	case <-conn.Context().Done():
		t.Fatal("closed in spite of a channel")
	case <-time.After(time.Second):
	}
	converse(t, a, b)
	a.Close()
	check("no channel left", conn)
}

// A peer that opens streams and says little or nothing holds up nobody.
func TestSlowOpeners(t *testing.T) {
	l := listen(t, &quicchan.Options{HandshakeTimeout: time.Second, MaxStreams: 51})
	conn := newRawClient(t, l.Addr(), l.Pin(), nil)
	streams := make([]*quic.Stream, 50)
	for i := range streams {
		var err error
		if streams[i], err = conn.OpenStream(); err != nil {
			t.Fatal(err)
		}
		if _, err := streams[i].Write([]byte("CKFY\x01\x10slow")[:1+i%10]); err != nil {
			t.Fatal(err)
		}
	}
	// Neither another peer, nor itself once more.
	converse(t, dial(t, l, nil), accept(t, l))
	start := time.Now()
	a, err := quicchan.Open(testContext(t), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, a, accept(t, l))
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("served beside slow streams after %v", d)
	}
	a.Abort()
	for i, stream := range streams {
		stream.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := io.Copy(io.Discard, stream)
		if e, ok := errors.AsType[*quic.StreamError](err); !ok || e.ErrorCode != 5 {
			t.Errorf("stream %d: %v, want a reset with code 5", i, err)
		}
	}
}

// Accept on a connection of the application's has no listener to guard it.
func TestAcceptGivesUpSlowOpener(t *testing.T) {
	client, server := newConns(t, nil)
	stream, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write([]byte("CKFY")); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	if _, err := quicchan.Accept(ctx, server, &quicchan.Options{HandshakeTimeout: 100 * time.Millisecond}); !errors.Is(err, quicchan.ErrSlowOpener) {
		t.Errorf("Accept: %v, want ErrSlowOpener", err)
	}
	a, err := quicchan.Open(ctx, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := quicchan.Accept(ctx, server, nil)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, a, b)
	a.Abort()
	b.Abort()
}

// Thousands of bad streams, as fast as they go, leave nothing behind.
func TestFloodOfBadStreams(t *testing.T) {
	l := listen(t, nil)
	conn := newRawClient(t, l.Addr(), l.Pin(), nil)
	good := dial(t, l, nil)
	peer := accept(t, l)
	before := runtime.NumGoroutine()
	const flood, atOnce = 3000, 8
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for range flood / atOnce {
				stream, err := conn.OpenStreamSync(testContext(t))
				if err != nil {
					t.Error(err)
					return
				}
				stream.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				stream.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := io.Copy(io.Discard, stream); err == nil {
					t.Error("a bad stream was not reset")
				}
				stream.CancelWrite(0)
			}
		})
	}
	wg.Wait()
	converse(t, good, peer)
	for ctx := testContext(t); runtime.NumGoroutine() > before+10; runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines before the flood, %d after", before, runtime.NumGoroutine())
		}
	}
}

// What a peer sends on a channel that nobody has accepted stays in the first
// receive windows.
func TestUnacceptedChannelsAreBounded(t *testing.T) {
	l := listen(t, nil)
	conn := newRawClient(t, l.Addr(), l.Pin(), nil)
	var mu sync.Mutex
	sent := 0
	var wg sync.WaitGroup
	for range 20 {
		stream, err := conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		stream.SetWriteDeadline(time.Now().Add(time.Second))
		wg.Go(func() {
			n, _ := stream.Write([]byte("CKFY\x01\x00\x01\x00\x00\x10\x00"))
			m, _ := stream.Write(make([]byte, 1<<20))
			mu.Lock()
			defer mu.Unlock()
			sent += n + m
		})
	}
	wg.Wait()
	if limit := 2<<20 + 64<<10; sent > limit {
		t.Errorf("a peer could send %d bytes on channels that nobody accepted, want at most %d", sent, limit)
	}
}

// A message beyond the receiver's limit is an error on both sides, not a wedge,
// and other channels of the connection live on.
func TestOversize(t *testing.T) {
	client, server := newConns(t, nil)
	ctx := testContext(t)
	open := func(o *quicchan.Options) (a, b *quicchan.Channel) {
		a, err := quicchan.Open(ctx, client, o)
		if err != nil {
			t.Fatal(err)
		}
		b, err = quicchan.Accept(ctx, server, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Abort(); b.Abort() })
		return a, b
	}
	a, b := open(&quicchan.Options{MaxMessageSize: 4 << 20})
	if err := a.Send(make([]byte, 1<<20+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Receive(ctx); !errors.Is(err, quicchan.ErrOversize) || !errors.Is(err, transport.ErrAborted) {
		t.Errorf("receiver: %v, want ErrOversize", err)
	}
	if _, err := a.Receive(ctx); !errors.Is(err, quicchan.ErrOversize) || !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("sender: %v, want ErrOversize", err)
	}
	a, b = open(nil)
	converse(t, a, b)
}

// A length is a claim: memory follows the bytes that arrive, even below the
// limit.
func TestLengthsAllocateNothing(t *testing.T) {
	client, server := newConns(t, nil)
	ctx := testContext(t)
	const huge, n = 256 << 20, 8
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		stream, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		// A message of one byte shows that what came before has been read,
		// the header of a huge one follows, and a little of it.
		head := binary.LittleEndian.AppendUint32([]byte("CKFY\x01\x00\x01\x01\x00\x00\x00*\x01"), huge)
		if _, err := stream.Write(append(head, make([]byte, 300_000)...)); err != nil {
			t.Fatal(err)
		}
		ch, err := quicchan.Accept(ctx, server, &quicchan.Options{MaxMessageSize: huge})
		if err != nil {
			t.Fatal(err)
		}
		defer ch.Abort()
		if _, err := ch.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		// FIN: the channel ends once it has read all there is.
		stream.Close()
		if _, err := ch.Receive(ctx); !errors.Is(err, quicchan.ErrProtocol) {
			t.Errorf("Receive: %v, want ErrProtocol", err)
		}
	}
	runtime.ReadMemStats(&after)
	if total := after.TotalAlloc - before.TotalAlloc; total > 64<<20 {
		t.Errorf("%d lies of %d bytes allocated %d", n, huge, total)
	}
}

// Garbage on the UDP port reaches nobody.
func TestGarbagePackets(t *testing.T) {
	l := listen(t, nil)
	socket, err := net.Dial("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for i := range 200 {
		packet := make([]byte, 1+i*7)
		for j := range packet {
			packet[j] = byte(i * (j + 3))
		}
		socket.Write(packet)
	}
	converse(t, dial(t, l, nil), accept(t, l))
}
