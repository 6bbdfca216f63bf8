package dcchan_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

const (
	benchSize = 48 << 10
	benchHigh = 4 << 20 // where a sender stops
	benchLow  = 2 << 20 // where it goes on
)

// BenchmarkChannel moves 48 KiB messages one way and counts the bytes at the
// receiver: through this package, through pion with the same settings, and
// through pion with its own. All pace themselves with the same marks.
func BenchmarkChannel(b *testing.B) {
	b.Run(fmt.Sprintf("adapter=dcchan/size=%dKiB", benchSize>>10), benchAdapter)
	b.Run(fmt.Sprintf("raw=pion/size=%dKiB", benchSize>>10), func(b *testing.B) { benchRaw(b, dcchan.Configure) })
	b.Run(fmt.Sprintf("raw=pion-defaults/size=%dKiB", benchSize>>10), func(b *testing.B) {
		benchRaw(b, func(*webrtc.SettingEngine) {})
	})
}

func benchAdapter(b *testing.B) {
	ctx := b.Context()
	a, z, err := dcchan.Pair(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer z.Close()
	defer a.Close()
	b.SetBytes(benchSize)
	b.ReportAllocs()
	end := make(chan int, 1)
	go func() {
		got := 0
		for {
			m, err := z.Receive(ctx)
			if err != nil || len(m.Data) == 0 {
				end <- got
				return
			}
			got += len(m.Data)
		}
	}()
	msg := make([]byte, benchSize)
	sent := 0
	for b.Loop() {
		if a.BufferedAmount() >= benchHigh {
			if err := transport.Drain(ctx, a, benchLow); err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Send(msg); err != nil {
			b.Fatal(err)
		}
		sent += len(msg)
	}
	if err := a.Send(nil); err != nil {
		b.Fatal(err)
	}
	if got := <-end; got != sent {
		b.Fatalf("%d of %d bytes delivered", got, sent)
	}
}

func benchRaw(b *testing.B, configure func(*webrtc.SettingEngine)) {
	a, z := rawPair(b, configure)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	end := make(chan int, 1)
	got := 0
	z.OnMessage(func(m webrtc.DataChannelMessage) {
		if len(m.Data) == 0 {
			end <- got
		}
		got += len(m.Data)
	})
	low := make(chan struct{}, 1)
	a.SetBufferedAmountLowThreshold(benchLow)
	a.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	msg := make([]byte, benchSize)
	sent := 0
	for b.Loop() {
		for a.BufferedAmount() >= benchHigh {
			<-low
		}
		if err := a.Send(msg); err != nil {
			b.Fatal(err)
		}
		sent += len(msg)
	}
	if err := a.Send(nil); err != nil {
		b.Fatal(err)
	}
	if got := <-end; got != sent {
		b.Fatalf("%d of %d bytes delivered", got, sent)
	}
}

// rawPair is two of pion's data channels over the same kind of connection that
// Pair makes.
func rawPair(tb testing.TB, configure func(*webrtc.SettingEngine)) (a, z *webrtc.DataChannel) {
	tb.Helper()
	p, q := peer(tb, configure), peer(tb, configure)
	opened := make(chan *webrtc.DataChannel, 2)
	q.OnDataChannel(func(dc *webrtc.DataChannel) { dc.OnOpen(func() { opened <- dc }) })
	a, err := p.CreateDataChannel("", nil)
	if err != nil {
		tb.Fatal(err)
	}
	sent := make(chan struct{})
	a.OnOpen(func() { close(sent) })
	connect(tb, p, q)
	<-sent
	return a, <-opened
}

// peer is a PeerConnection of an application's, on one loopback socket.
func peer(tb testing.TB, configure func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	tb.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	socket.SetReadBuffer(4 << 20)
	socket.SetWriteBuffer(4 << 20)
	mux := webrtc.NewICEUDPMux(nil, socket)
	var s webrtc.SettingEngine
	configure(&s)
	s.SetICEUDPMux(mux)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.DisableActiveTCP(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(pc.GracefulClose(), mux.Close()); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	return pc
}

// connect has p offer and q answer, all candidates at once.
func connect(tb testing.TB, p, q *webrtc.PeerConnection) {
	tb.Helper()
	describe := func(from *webrtc.PeerConnection, make func() (webrtc.SessionDescription, error), to *webrtc.PeerConnection) {
		d, err := make()
		if err != nil {
			tb.Fatal(err)
		}
		gathered := webrtc.GatheringCompletePromise(from)
		if err := from.SetLocalDescription(d); err != nil {
			tb.Fatal(err)
		}
		<-gathered
		if err := to.SetRemoteDescription(*from.LocalDescription()); err != nil {
			tb.Fatal(err)
		}
	}
	describe(p, func() (webrtc.SessionDescription, error) { return p.CreateOffer(nil) }, q)
	describe(q, func() (webrtc.SessionDescription, error) { return q.CreateAnswer(nil) }, p)
}
