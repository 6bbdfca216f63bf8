package dcchan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

// accepted collects what New makes of the channels that pc is offered, once they
// are open.
func accepted(tb testing.TB, pc *webrtc.PeerConnection) <-chan *dcchan.Channel {
	channels := make(chan *dcchan.Channel, 100)
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		c, err := dcchan.New(dc, nil)
		if err != nil {
			tb.Error(err)
		}
		dc.OnOpen(func() { channels <- c })
	})
	return channels
}

// appPair is two channels of an application's, on two connections of its own.
func appPair(tb testing.TB, p, q *webrtc.PeerConnection, init *webrtc.DataChannelInit) (a, b *dcchan.Channel) {
	tb.Helper()
	theirs := accepted(tb, q)
	dc, err := p.CreateDataChannel("label", init)
	if err != nil {
		tb.Fatal(err)
	}
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) })
	if a, err = dcchan.New(dc, nil); err != nil {
		tb.Fatal(err)
	}
	connect(tb, p, q)
	<-opened
	return a, <-theirs
}

func receive(t *testing.T, c transport.Channel) string {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	return string(m.Data)
}

// appChannel is a channel on connections of an application that closes both after
// their last channel, and its own if it must abort.
type appChannel struct {
	*dcchan.Channel
	own   *webrtc.PeerConnection
	once  sync.Once
	after func()
}

func (c *appChannel) Close() error {
	err := c.Channel.Close()
	c.once.Do(c.after)
	return err
}

func (c *appChannel) Abort() error {
	err := errors.Join(c.own.Close(), c.Channel.Abort())
	c.once.Do(c.after)
	return err
}

// An application's connections, with its own handlers in place, pass the kit
// with channels that are not ordered, smaller messages and a smaller buffer.
func TestConformanceUnordered(t *testing.T) {
	configure := func(s *webrtc.SettingEngine) {
		dcchan.Configure(s)
		s.SetSCTPMaxReceiveBufferSize(dcchan.ReceiveBuffer / 2)
		s.SetSCTPMaxMessageSize(transport.MessageSizeFloor)
	}
	cutPair := func(context.Context) (a, b transport.Channel, cut func(), err error) {
		left, right := &hole{PacketConn: socket(t)}, &hole{PacketConn: socket(t)}
		p, closeP := openPeer(t, left, configure)
		q, closeQ := openPeer(t, right, configure)
		ordered := false
		x, y := appPair(t, p, q, &webrtc.DataChannelInit{Ordered: &ordered})
		var open atomic.Int32
		open.Store(2)
		after := func() {
			if open.Add(-1) == 0 {
				closeP()
				closeQ()
			}
		}
		cut = func() {
			left.cut.Store(true)
			right.cut.Store(true)
		}
		return &appChannel{Channel: x, own: p, after: after}, &appChannel{Channel: y, own: q, after: after}, cut, nil
	}
	pair := func(ctx context.Context) (a, b transport.Channel, err error) {
		a, b, _, err = cutPair(ctx)
		return a, b, err
	}
	transporttest.Run(t, pair, &transporttest.Options{Cut: cutPair, Quick: true, Parallel: true})
}

func TestPropertiesOfApplication(t *testing.T) {
	no, three, second := false, uint16(3), uint16(1000)
	tests := []struct {
		name              string
		init              webrtc.DataChannelInit
		ordered, reliable bool
	}{
		{"default", webrtc.DataChannelInit{}, true, true},
		{"unordered", webrtc.DataChannelInit{Ordered: &no}, false, true},
		{"retransmits", webrtc.DataChannelInit{MaxRetransmits: &three}, true, false},
		{"lifetime", webrtc.DataChannelInit{Ordered: &no, MaxPacketLifeTime: &second}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := appPair(t, peer(t, dcchan.Configure), peer(t, dcchan.Configure), &tt.init)
			for side, c := range map[string]*dcchan.Channel{"opener": a, "acceptor": b} {
				p := c.Properties()
				if p.Label != "label" || p.Ordered != tt.ordered || p.Reliable != tt.reliable {
					t.Errorf("%s: %+v", side, p)
				}
			}
			if err := errors.Join(a.Close(), b.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// pion takes in 16 new channels at a time and discards the others' first packet.
func TestDeclaredBeforeConnecting(t *testing.T) {
	for _, n := range []int{17, 32, 64} {
		t.Run(fmt.Sprintf("channels=%d", n), func(t *testing.T) {
			p, q := peer(t, dcchan.Configure), peer(t, dcchan.Configure)
			theirs := accepted(t, q)
			opened := make(chan struct{}, n)
			for i := range n {
				dc, err := p.CreateDataChannel(fmt.Sprint(i), nil)
				if err != nil {
					t.Fatal(err)
				}
				dc.OnOpen(func() { opened <- struct{}{} })
				c, err := dcchan.New(dc, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Send(nil); !errors.Is(err, transport.ErrNotOpen) || c.ReadyState() != transport.StateConnecting {
					t.Fatalf("Send before the connection: %v in state %v", err, c.ReadyState())
				}
			}
			connect(t, p, q)
			<-opened
			start := time.Now()
			for range n - 1 {
				<-opened
			}
			for range n {
				<-theirs
			}
			if elapsed := time.Since(start); elapsed > time.Second {
				t.Errorf("%d channels took %v to open after the first", n, elapsed)
			}
		})
	}
}

// pion drops a message for which there is no handler yet.
func TestReceivedBeforeReceive(t *testing.T) {
	p, q := peer(t, dcchan.Configure), peer(t, dcchan.Configure)
	theirs := accepted(t, q)
	dc, err := p.CreateDataChannel("", nil)
	if err != nil {
		t.Fatal(err)
	}
	dc.OnOpen(func() { dc.SendText("at once") })
	connect(t, p, q)
	b := <-theirs
	for b.ReadyState() != transport.StateOpen || dc.BufferedAmount() > 0 {
		time.Sleep(time.Millisecond) // the message has arrived before the first Receive
	}
	if got := receive(t, b); got != "at once" {
		t.Errorf("got %q", got)
	}
}

// The limit is the peer's, where that is lower than ours.
func TestPeerAnnouncesLess(t *testing.T) {
	const limit = 100_000
	p := peer(t, dcchan.Configure)
	q := peer(t, func(s *webrtc.SettingEngine) {
		dcchan.Configure(s)
		s.SetSCTPMaxMessageSize(limit)
	})
	a, b := appPair(t, p, q, nil)
	if got := a.Properties().MaxMessageSize; got != limit {
		t.Errorf("MaxMessageSize is %d, want %d", got, limit)
	}
	if got := b.Properties().MaxMessageSize; got != dcchan.DefaultMaxMessageSize {
		t.Errorf("the other way MaxMessageSize is %d, want %d", got, dcchan.DefaultMaxMessageSize)
	}
	err := a.Send(make([]byte, limit+1))
	if e, ok := errors.AsType[*transport.SizeError](err); !ok || e.Limit != limit || a.BufferedAmount() != 0 {
		t.Errorf("one byte more: %v, %d bytes buffered", err, a.BufferedAmount())
	}
	if err := a.Send(make([]byte, limit)); err != nil {
		t.Fatal(err)
	}
	if got := len(receive(t, b)); got != limit {
		t.Errorf("%d bytes arrived, want %d", got, limit)
	}
}

// pion tells the PeerConnection of a dead peer, on the handler that is the
// application's, and keeps the data channel open.
func TestDeadPeerOfApplication(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*webrtc.SettingEngine){
		"configured":    dcchan.Configure,
		"pion defaults": func(*webrtc.SettingEngine) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, right := &hole{PacketConn: socket(t)}, &hole{PacketConn: socket(t)}
			p, q := peerOver(t, left, configure), peerOver(t, right, configure)
			told := make(chan webrtc.PeerConnectionState, 10)
			p.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { told <- s })
			a, b := appPair(t, p, q, nil)
			if err := b.Send([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := transport.Drain(t.Context(), b, 0); err != nil {
				t.Fatal(err)
			}
			left.cut.Store(true)
			right.cut.Store(true)
			start := time.Now()
			if err := a.Send(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			err := transport.Drain(t.Context(), a, 0)
			if !errors.Is(err, transport.ErrClosed) || a.ReadyState() != transport.StateClosed {
				t.Errorf("Drain ended with %v in state %v", err, a.ReadyState())
			}
			if got := receive(t, a); got != "last words" {
				t.Errorf("got %q", got)
			}
			_, err = a.Receive(t.Context())
			if !errors.Is(err, transport.ErrAborted) || !errors.Is(err, transport.ErrPeerGone) {
				t.Errorf("Receive ended with %v", err)
			}
			if elapsed := time.Since(start); elapsed > a.Properties().DeadPeer {
				t.Errorf("it took %v, declared are %v", elapsed, a.Properties().DeadPeer)
			}
			for s := range told {
				if s == webrtc.PeerConnectionStateDisconnected {
					break // the application's handler was called
				}
			}
			if err := a.Close(); !errors.Is(err, transport.ErrUndelivered) {
				t.Errorf("Close: %v", err)
			}
			b.Abort()
		})
	}
}

// A channel that was given its connection notices that it never comes up.
func TestConnectionNeverComesUp(t *testing.T) {
	t.Parallel()
	deaf := &hole{PacketConn: socket(t)}
	deaf.cut.Store(true)
	p, q := peer(t, dcchan.Configure), peerOver(t, deaf, dcchan.Configure)
	dc, err := p.CreateDataChannel("", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dcchan.New(dc, &dcchan.Options{PeerConnection: p})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, p, q)
	start := time.Now()
	if _, err := c.Receive(t.Context()); !errors.Is(err, transport.ErrAborted) {
		t.Errorf("Receive ended with %v", err)
	}
	if elapsed := time.Since(start); elapsed > 10*time.Second || c.ReadyState() != transport.StateClosed {
		t.Errorf("state %v after %v", c.ReadyState(), elapsed)
	}
}

// What had arrived when the peer aborted is still read, and then it is not
// taken for a graceful end, though pion's stream says io.EOF to itself.
func TestPeerClosesItsConnection(t *testing.T) {
	const n = 100 // beyond the inbox
	a, b := pair(t, func(*dcchan.Options) {})
	for range n {
		if err := push(t, a, make([]byte, 48<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := transport.Drain(t.Context(), a, 0); err != nil {
		t.Fatal(err)
	}
	if err := transport.Abort(a); err != nil {
		t.Fatal(err)
	}
	got := 0
	for {
		_, err := b.Receive(t.Context())
		if err == nil {
			got++
			continue
		}
		if errors.Is(err, io.EOF) || !errors.Is(err, transport.ErrAborted) {
			t.Errorf("ended with %v", err)
		}
		break
	}
	if got != n {
		t.Errorf("%d messages of %d that had arrived", got, n)
	}
	if b.ReadyState() != transport.StateClosed {
		t.Errorf("state %v", b.ReadyState())
	}
}

// GracefulClose waits for pion's readers, and those for room in the inboxes.
func TestGracefulCloseAfterClose(t *testing.T) {
	p, q := peer(t, dcchan.Configure), peer(t, dcchan.Configure)
	a, b := appPair(t, p, q, nil)
	for range 100 {
		if err := push(t, a, make([]byte, 48<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := transport.Drain(t.Context(), a, 0); err != nil {
		t.Fatal(err)
	}
	b.Close() // reads nothing
	a.Close()
	done := make(chan error, 1)
	go func() { done <- errors.Join(q.GracefulClose(), p.GracefulClose()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("GracefulClose hangs")
	}
}
