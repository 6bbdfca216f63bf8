package dcchan_test

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

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
	return peerOver(tb, socket(tb), configure)
}

func socket(tb testing.TB) net.PacketConn {
	tb.Helper()
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	s.SetReadBuffer(4 << 20)
	s.SetWriteBuffer(4 << 20)
	return s
}

// hole is a socket that drops what it sends once it is cut.
type hole struct {
	net.PacketConn
	cut atomic.Bool
}

func (h *hole) WriteTo(p []byte, addr net.Addr) (int, error) {
	if h.cut.Load() {
		return len(p), nil
	}
	return h.PacketConn.WriteTo(p, addr)
}

func peerOver(tb testing.TB, socket net.PacketConn, configure func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	tb.Helper()
	pc, closePeer := openPeer(tb, socket, configure)
	tb.Cleanup(func() {
		if err := closePeer(); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	return pc
}

func openPeer(tb testing.TB, socket net.PacketConn, configure func(*webrtc.SettingEngine)) (*webrtc.PeerConnection, func() error) {
	tb.Helper()
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
	return pc, func() error { return errors.Join(pc.GracefulClose(), mux.Close()) }
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
