package quicchan_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

func TestDialRefusesOtherURLs(t *testing.T) {
	for _, target := range []string{"", "127.0.0.1:4433", "http://127.0.0.1:1", "quic://127.0.0.1", "quic://127.0.0.1:70000", "quic://[::1", "quic://:"} {
		if ch, err := quicchan.Dial(testContext(t), target, nil); err == nil {
			ch.Abort()
			t.Errorf("Dial(%q) is fine", target)
		}
	}
}

// A name with several addresses of which only one answers: localhost, served on
// IPv4 only.
func TestDialTriesEveryAddress(t *testing.T) {
	l := listen(t, nil)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a, err := quicchan.Dial(testContext(t), "quic://localhost:"+port, &quicchan.Options{Pin: l.Pin()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
	converse(t, a, accept(t, l))
}

func TestDialNobody(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	target := "quic://" + silent.LocalAddr().String()
	_, err = quicchan.Dial(testContext(t), target, &quicchan.Options{HandshakeTimeout: 200 * time.Millisecond})
	if !errors.Is(err, transport.ErrPeerGone) {
		t.Errorf("Dial: %v, want ErrPeerGone", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := quicchan.Dial(ctx, target, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial with a context: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

func TestSeveralChannelsOnOneConnection(t *testing.T) {
	l := listen(t, nil)
	ctx := testContext(t)
	opts := &quicchan.Options{Pin: l.Pin(), Label: "one of many"}
	conn, err := quicchan.Connect(ctx, l.URL(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a, err := quicchan.Open(ctx, conn, opts)
		if err != nil {
			t.Fatal(err)
		}
		b := accept(t, l)
		converse(t, a, b)
		if b.Properties().Label != "one of many" {
			t.Errorf("label %q", b.Properties().Label)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	conn.CloseWithError(0, "")
}

func TestURLOfEveryAddress(t *testing.T) {
	l, err := quicchan.Listen(":0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !strings.HasPrefix(l.URL(), "quic://localhost:") {
		t.Errorf("URL %s", l.URL())
	}
	converse(t, dial(t, l, nil), accept(t, l))
}

// The application's socket carries the connection, and ends with the channel or
// with an attempt that fails.
func TestDialOverPacketConn(t *testing.T) {
	l := listen(t, nil)
	for _, target := range []string{l.URL(), "quic://127.0.0.1"} {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := socket.LocalAddr().String()
		a, err := quicchan.Dial(testContext(t), target, &quicchan.Options{Pin: l.Pin(), PacketConn: socket})
		if (err == nil) != (target == l.URL()) {
			t.Fatalf("Dial(%q): %v", target, err)
		}
		if err == nil {
			b := accept(t, l)
			if got := b.Conn().RemoteAddr().String(); got != addr {
				t.Errorf("connected from %s, want %s", got, addr)
			}
			converse(t, a, b)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := socket.WriteTo(nil, l.Addr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the socket after Dial(%q) and Close: %v, want net.ErrClosed", target, err)
		}
	}
}
