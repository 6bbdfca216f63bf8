package quicchan

import (
	"crypto/tls"
	"net"
	"time"
	"unicode/utf8"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// Defaults of Options.
const (
	DefaultMaxMessageSize   = 1 << 20 // bytes
	DefaultReceiveWindow    = 6 << 20 // bytes
	DefaultDeadPeer         = 8 * time.Second
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultIdleTimeout      = 30 * time.Second
	DefaultMaxStreams       = 100
	DefaultMaxConnections   = 256
)

// The first windows of a connection and its streams: what a stranger may fill
// before anybody reads.
const (
	firstStreamWindow     = 512 << 10
	firstConnectionWindow = 2 << 20
)

// maxMessageSize is the largest limit that makes sense.
const maxMessageSize = 1 << 30

// Options configures channels, connections and listeners. The zero value, or a
// nil pointer, means the defaults.
type Options struct {
	// Label is the opener's name for the channel; the other side sees it as
	// its own. At most MaxLabel bytes of UTF-8. Default "".
	Label string

	// MaxMessageSize is the largest payload sent or received, in bytes,
	// between transport.MessageSizeFloor and 1 GiB (other values are moved
	// there). Both sides should agree: a larger message aborts the channel
	// with ErrOversize. Default DefaultMaxMessageSize.
	MaxMessageSize int

	// MaxBuffered bounds BufferedAmount, in bytes. Default
	// pump.DefaultMaxBuffered.
	MaxBuffered int

	// CloseTimeout is how long Close waits without any progress before it
	// gives up on the peer. Default pump.DefaultCloseTimeout.
	CloseTimeout time.Duration

	// ReceiveWindow is the most that QUIC holds for a reader that does not
	// read, in bytes a channel; with the round trip it caps the throughput
	// (6 MiB at 100 ms: 500 Mbit/s). All channels of one connection together
	// get two and a half times as much. New, Open and Accept only declare it:
	// there the connection's quic.Config decides. Default
	// DefaultReceiveWindow, which is also quic-go's.
	ReceiveWindow int

	// DeadPeer is the time within which a peer that vanished is noticed, in
	// silence too. New, Open and Accept only declare it: there it is the sum
	// of MaxIdleTimeout and KeepAlivePeriod of the connection's quic.Config,
	// and the default is to declare nothing. Default elsewhere
	// DefaultDeadPeer.
	DeadPeer time.Duration

	// Pin is the SHA-256, in hexadecimal, of the one certificate that Connect
	// and Dial accept, in place of what TLS says; "" means that TLS decides.
	Pin string

	// TLS is cloned. Dialling: nil means the system's roots. Listening: it
	// holds the certificate; nil means a self-signed one made on the spot
	// (see Listener.Pin). ALPN becomes the package's unless NextProtos is
	// set.
	TLS *tls.Config

	// PacketConn is a UDP socket that Dial and Connect use instead of one of
	// their own: of a network stack of the application's, or bound to an
	// interface. It belongs to the connection and is closed with it, or when
	// there is none. A *net.UDPConn is read in bulk and is not for reading
	// beside it (see package udp). Serve takes a quic.Transport for the same,
	// which is the faster for a udp.Conn. Default nil.
	PacketConn net.PacketConn

	// HandshakeTimeout is what a peer may take without a word while shaking
	// hands, and what an opener may take to send a stream's preamble. Default
	// DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long a listener keeps a connection that has no
	// channel. Default DefaultIdleTimeout.
	IdleTimeout time.Duration

	// MaxStreams is the most channels the peer may have open on one
	// connection. Default DefaultMaxStreams.
	MaxStreams int

	// MaxConnections is the most connections a listener serves; further ones
	// are refused during the handshake. Default DefaultMaxConnections.
	MaxConnections int
}

func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if len(opts.Label) > MaxLabel || !utf8.ValidString(opts.Label) {
		return Options{}, ErrLabel
	}
	if opts.MaxMessageSize == 0 {
		opts.MaxMessageSize = DefaultMaxMessageSize
	}
	opts.MaxMessageSize = min(max(opts.MaxMessageSize, transport.MessageSizeFloor), maxMessageSize)
	if opts.MaxBuffered == 0 {
		opts.MaxBuffered = pump.DefaultMaxBuffered
	}
	if opts.ReceiveWindow == 0 {
		opts.ReceiveWindow = DefaultReceiveWindow
	}
	if opts.HandshakeTimeout == 0 {
		opts.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = DefaultIdleTimeout
	}
	if opts.MaxStreams == 0 {
		opts.MaxStreams = DefaultMaxStreams
	}
	if opts.MaxConnections == 0 {
		opts.MaxConnections = DefaultMaxConnections
	}
	return opts, nil
}

// owned is for those who make the connection and know its idle timeout.
func (o Options) owned() Options {
	if o.DeadPeer == 0 {
		o.DeadPeer = DefaultDeadPeer
	}
	return o
}

// quicConfig is the configuration of connections we make. A peer is given up
// MaxIdleTimeout after its last packet or the first probe unanswered,
// whichever is later (RFC 9000, section 10.1); the probes come every
// KeepAlivePeriod.
func (o Options) quicConfig() *quic.Config {
	window := uint64(o.ReceiveWindow)
	return &quic.Config{
		HandshakeIdleTimeout:           o.HandshakeTimeout,
		MaxIdleTimeout:                 o.DeadPeer * 3 / 4,
		KeepAlivePeriod:                o.DeadPeer / 4,
		InitialStreamReceiveWindow:     min(firstStreamWindow, window),
		MaxStreamReceiveWindow:         window,
		InitialConnectionReceiveWindow: min(firstConnectionWindow, window*5/2),
		MaxConnectionReceiveWindow:     window * 5 / 2,
		MaxIncomingStreams:             int64(o.MaxStreams),
		MaxIncomingUniStreams:          -1,
	}
}

// config is that of a channel.
func (o Options) config() pump.Config {
	return pump.Config{
		Properties: transport.Properties{
			Label:          o.Label,
			MaxMessageSize: o.MaxMessageSize,
			MaxBuffered:    o.MaxBuffered,
			ReceiveBuffer:  o.ReceiveWindow,
			Ordered:        true,
			Reliable:       true,
			HalfClose:      true,
			Buffered:       transport.ReleasePacketized,
			DeadPeer:       o.DeadPeer,
		},
		Headroom:     frameHeaderSize,
		CloseTimeout: o.CloseTimeout,
	}
}
