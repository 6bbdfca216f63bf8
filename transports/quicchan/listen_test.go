package quicchan_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

func listen(t *testing.T, o *quicchan.Options) *quicchan.Listener {
	t.Helper()
	l, err := quicchan.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial opens a channel to l; o may be nil.
func dial(t *testing.T, l *quicchan.Listener, o *quicchan.Options) *quicchan.Channel {
	t.Helper()
	ch, err := tryDial(testContext(t), l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ch.Abort() })
	return ch
}

func tryDial(ctx context.Context, l *quicchan.Listener, o *quicchan.Options) (*quicchan.Channel, error) {
	var opts quicchan.Options
	if o != nil {
		opts = *o
	}
	opts.Pin = l.Pin()
	return quicchan.Dial(ctx, l.URL(), &opts)
}

func accept(t *testing.T, l *quicchan.Listener) *quicchan.Channel {
	t.Helper()
	ch, err := l.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ch.Abort() })
	return ch
}

// converse sends a message each way.
func converse(t *testing.T, a, b transport.Channel) {
	t.Helper()
	for _, ends := range [][2]transport.Channel{{a, b}, {b, a}} {
		if err := ends[0].SendText("ahoy"); err != nil {
			t.Fatal(err)
		}
		got, err := ends[1].Receive(testContext(t))
		if err != nil || !got.Text || string(got.Data) != "ahoy" {
			t.Fatalf("received %+v, %v", got, err)
		}
	}
}

// connectionError waits for the end of a connection that is not ours.
func connectionError(t *testing.T, conn *quic.Conn) error {
	t.Helper()
	select {
	case <-conn.Context().Done():
		return context.Cause(conn.Context())
	case <-testContext(t).Done():
		t.Fatal("the connection is still there")
		return nil
	}
}

func TestLabelTravels(t *testing.T) {
	l := listen(t, nil)
	for _, label := range []string{"", "video_upload", strings.Repeat("é", 127)} {
		a := dial(t, l, &quicchan.Options{Label: label})
		b := accept(t, l)
		converse(t, a, b)
		for _, ch := range []transport.Channel{a, b} {
			if p, _ := transport.PropertiesOf(ch); p.Label != label {
				t.Errorf("label %q, want %q", p.Label, label)
			}
		}
		if b.Conn().RemoteAddr() == nil {
			t.Error("no remote address")
		}
	}
}

func TestLabelsThatDoNotFit(t *testing.T) {
	l := listen(t, nil)
	for _, label := range []string{strings.Repeat("x", quicchan.MaxLabel+1), "\xff"} {
		if _, err := tryDial(t.Context(), l, &quicchan.Options{Label: label}); !errors.Is(err, quicchan.ErrLabel) {
			t.Errorf("Dial: %v, want ErrLabel", err)
		}
	}
}

func TestClosedListenerKeepsItsChannels(t *testing.T) {
	l := listen(t, nil)
	addr := l.Addr().String()
	a := dial(t, l, nil)
	b := accept(t, l)
	waiting := dial(t, l, nil) // never accepted
	idle := newRawClient(t, l.Addr(), l.Pin(), nil)

	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(t.Context()); !errors.Is(err, quicchan.ErrListenerClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want ErrListenerClosed", err)
	}
	if _, err := waiting.Receive(testContext(t)); !errors.Is(err, transport.ErrAborted) {
		t.Errorf("a channel that waited to be accepted: %v, want ErrAborted", err)
	}
	if err := connectionError(t, idle); err == nil {
		t.Error("an idle connection outlived the listener")
	}
	converse(t, a, b)
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	if err := errors.Join(b.Close(), <-closed); err != nil {
		t.Error(err)
	}
	// The last channel takes the socket along.
	for ctx := testContext(t); ; {
		again, err := quicchan.Listen(addr, nil)
		if err == nil {
			again.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the address is still taken: %v", err)
		}
	}
}

func TestServeOnTheApplicationsTransport(t *testing.T) {
	tr := newTransport(t)
	l, err := quicchan.Serve(tr, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := dial(t, l, nil)
	b := accept(t, l)
	l.Close()
	converse(t, a, b)
	// The transport stays usable.
	again, err := quicchan.Serve(tr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	converse(t, dial(t, again, nil), accept(t, again))
}

func TestAcceptContext(t *testing.T) {
	l := listen(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept: %v", err)
	}
	converse(t, dial(t, l, nil), accept(t, l))
}
