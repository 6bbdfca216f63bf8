package dcchan

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
)

// Defaults of Options.
const (
	DefaultMaxMessageSize = 128 << 10 // bytes
	DefaultMaxBuffered    = 768 << 10 // bytes
	DefaultCloseTimeout   = 20 * time.Second
	DefaultConnectTimeout = 15 * time.Second
	DefaultMaxChannels    = 32
	DefaultMaxPeers       = 64
)

// MaxLabel is the longest label, in bytes. WebRTC allows 65,535, but the
// message that opens a channel must fit into one packet of every peer.
const MaxLabel = 1024

// ErrLabel: a label is longer than MaxLabel bytes or not UTF-8.
var ErrLabel = errors.New("dcchan: a label is at most 1024 bytes of UTF-8")

// Options configures channels, connections and listeners. The zero value, or a
// nil pointer, means the defaults.
type Options struct {
	// Label is the name of the channel that Dial opens; the other side sees
	// it, too. At most MaxLabel bytes of UTF-8. New takes the data channel's.
	// Default "".
	Label string

	// MaxMessageSize caps what Send accepts, in bytes; the limit is the
	// smaller of it and what the peer announced. Connections made by this
	// package announce it to the peer as well. Between
	// transport.MessageSizeFloor and 1/64 of ReceiveBuffer (other values are
	// moved there), see the package comment. Default DefaultMaxMessageSize.
	MaxMessageSize int

	// MaxBuffered bounds BufferedAmount, in bytes, and with it what is in
	// flight; see the package comment for long paths. Default
	// DefaultMaxBuffered.
	MaxBuffered int

	// CloseTimeout is how long Close waits without any progress before it
	// gives up on the peer. Default DefaultCloseTimeout.
	CloseTimeout time.Duration

	// PeerConnection is the connection of the data channel given to New. It
	// is optional, and used only to notice that the connection fails before
	// the channel has opened: pion shows a data channel its connection no
	// earlier. Default nil.
	PeerConnection *webrtc.PeerConnection

	// Pin is the SHA-256, in hexadecimal, of the one certificate that Connect
	// and Dial accept from the signalling server; "" means that TLS decides.
	Pin string

	// TLS is cloned, and used for signalling. Dialling: nil means the
	// system's roots. Listening: it holds the certificate; nil means plain
	// HTTP, unless SelfSigned is set.
	TLS *tls.Config

	// Client carries the offer with which Connect and Dial begin: for proxies,
	// cookies or a transport of the application's. Its own TLS configuration
	// holds then, not Pin and TLS. Default a client that honours HTTPS_PROXY
	// and its kin.
	Client *http.Client

	// SelfSigned has Listen make a certificate on the spot (see
	// Listener.Pin). Default false.
	SelfSigned bool

	// ICEServers are STUN and TURN servers. None are needed on a loopback
	// interface, in a LAN, or towards a server with a public address.
	// Default none.
	ICEServers []webrtc.ICEServer

	// PacketConn is a UDP socket that carries all connections, instead of
	// sockets of pion's own choosing. It belongs to the handler, listener or
	// connection that it is given to, and is closed with it. A *net.UDPConn
	// is read and written in bulk and is not for reading beside it (see
	// package udp). Default for Listen: a socket on the address it listens on; elsewhere nil.
	PacketConn net.PacketConn

	// ConnectTimeout bounds, from the offer to the open connection, what a
	// peer may take. Default DefaultConnectTimeout.
	ConnectTimeout time.Duration

	// MaxChannels is the most channels that a peer may have open on one
	// connection; further ones are closed as they open. Default
	// DefaultMaxChannels.
	MaxChannels int

	// MaxPeers is the most connections that a handler serves, connecting ones
	// included; further offers are answered 503. Default DefaultMaxPeers.
	MaxPeers int
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
	opts.MaxMessageSize = min(max(opts.MaxMessageSize, transport.MessageSizeFloor), ReceiveBuffer/64)
	if opts.MaxBuffered == 0 {
		opts.MaxBuffered = DefaultMaxBuffered
	}
	if opts.CloseTimeout == 0 {
		opts.CloseTimeout = DefaultCloseTimeout
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = DefaultConnectTimeout
	}
	if opts.MaxChannels == 0 {
		opts.MaxChannels = DefaultMaxChannels
	}
	if opts.MaxPeers == 0 {
		opts.MaxPeers = DefaultMaxPeers
	}
	return opts, nil
}
