package dcchan

import (
	"fmt"
	"net"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transports/udp"
)

// ReceiveBuffer is the SCTP receive buffer that Configure sets, in bytes. All
// channels of a connection share it.
const ReceiveBuffer = 8 << 20

// deadPeer is what we promise: disconnectedAfter, until pion's next look at it
// and ours, and disconnectedGrace.
const (
	deadPeer          = 10 * time.Second
	disconnectedAfter = 5 * time.Second
	disconnectedGrace = 2 * time.Second
)

// Configure applies the settings that data channels need and pion does not
// have by default. Applications that make their own PeerConnections should
// call it, on both sides where both are theirs; New works without, with the
// weaknesses named here.
//
//   - SCTP receive buffer of 8 MiB instead of 1 MiB: it caps the throughput at
//     buffer/RTT, and a connection whose buffer fills with incomplete messages
//     never recovers (32 channels with messages of 64 KiB do that to 1 MiB).
//   - At most 1 s between retransmissions instead of 60 s: after a reader has
//     paused for 8 s, the flow is back in 1 s instead of 8 s.
//   - a=max-message-size of 128 KiB instead of 1 GiB, which the receive buffer
//     could not hold. It binds the peer only.
//   - ICE gives up after 5 s of silence and 4 s more, instead of 30 s, and
//     asks every second for a sign of life.
//   - No CRC32c over packets that DTLS authenticates anyway, where both sides
//     agree (RFC 9653).
//   - A congestion window of ten packets at the least, as TCP and QUIC begin with
//     (RFC 6928), instead of four at the beginning and one after a timeout.
//   - No cookie exchange in DTLS, which costs a round trip and proves what ICE has
//     proved already: that the peer receives at its address.
//   - Channels that were created before the connection is up open 1 ms apart,
//     because a pion at the other end takes in 16 at once and makes the rest wait
//     for seconds. This wraps s.LoggerFactory; set another one before.
func Configure(s *webrtc.SettingEngine) {
	configure(s, DefaultMaxMessageSize)
	if s.LoggerFactory == nil {
		s.LoggerFactory = logging.NewDefaultLoggerFactory()
	}
	s.LoggerFactory = &spacer{LoggerFactory: s.LoggerFactory}
}

func configure(s *webrtc.SettingEngine, maxMessageSize int) {
	s.SetSCTPMaxReceiveBufferSize(ReceiveBuffer)
	s.SetSCTPRTOMax(time.Second)
	s.SetSCTPMaxMessageSize(uint32(maxMessageSize))
	s.SetICETimeouts(disconnectedAfter, 4*time.Second, time.Second)
	s.EnableSCTPZeroChecksum(true)
	s.SetSCTPMinCwnd(initialWindow)
	s.SetDTLSInsecureSkipHelloVerify(true)
}

// initialWindow is what TCP and QUIC begin with: ten packets (RFC 6928).
const initialWindow = 10 * 1200

// newAPI is for the connections that we make ourselves, over the mux if it is not
// nil, otherwise over sockets of pion's, on loopback only if that is set.
func newAPI(opts Options, mux ice.UDPMux, loopback bool) (*webrtc.API, error) {
	var s webrtc.SettingEngine
	configure(&s, opts.MaxMessageSize)
	s.LoggerFactory = quiet()
	// The address of a peer behind a .local name is learnt from its checks.
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.DisableActiveTCP(true)
	s.SetIncludeLoopbackCandidate(mux != nil || loopback)
	if loopback {
		s.SetIPFilter(net.IP.IsLoopback)
	}
	if mux != nil {
		s.SetICEUDPMux(mux)
	} else {
		std, err := stdnet.NewNet()
		if err != nil {
			return nil, fmt.Errorf("dcchan: %w", err)
		}
		s.SetNet(roomyNet{std})
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(s)), nil
}

// quiet has pion log nothing unless the environment asks for it (PION_LOG_*):
// what matters comes back as errors.
func quiet() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	if f.DefaultLogLevel == logging.LogLevelError {
		f.DefaultLogLevel = logging.LogLevelDisabled
	}
	return f
}

// newMux carries all connections of an API over one socket, which it owns.
func newMux(socket net.PacketConn) ice.UDPMux {
	socket = udp.Wrap(socket)
	makeRoom(socket)
	return webrtc.NewICEUDPMux(quiet().NewLogger("ice"), socket)
}

// socketBuffer is what we ask the kernel for, in bytes each way: pion does not
// pace, a whole congestion window leaves at once.
const socketBuffer = 4 << 20

func makeRoom(socket any) {
	if s, ok := socket.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok {
		_ = s.SetReadBuffer(socketBuffer) // an error leaves the default
		_ = s.SetWriteBuffer(socketBuffer)
	}
}

// roomyNet gives pion's own sockets room, too.
type roomyNet struct{ *stdnet.Net }

func (n roomyNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	makeRoom(c)
	if socket, ok := c.(*net.UDPConn); ok {
		return udp.New(socket), nil
	}
	return c, nil
}
