package wschan

import (
	"crypto/tls"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// MaxLabel is the longest label, in bytes of UTF-8.
const MaxLabel = 255

// Defaults of Options.
const (
	DefaultMaxMessageSize   = 1 << 20 // bytes
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultMaxPending       = 64
)

// maxMessageSize is the largest limit that makes sense.
const maxMessageSize = 1 << 30

// Options configures channels and listeners. The zero value, or a nil pointer,
// means the defaults.
type Options struct {
	// Label is the opener's name for the channel. It travels as the query
	// parameter "label" of the URL that is dialled; the other side sees it as
	// its own. At most MaxLabel bytes of UTF-8. Default: what the URL says,
	// else "".
	Label string

	// MaxMessageSize is the largest payload sent or received, in bytes,
	// between transport.MessageSizeFloor and 1 GiB (other values are moved
	// there). Both sides should agree: a larger message ends the channel, and
	// its sender sees close code 1009. Default DefaultMaxMessageSize.
	MaxMessageSize int

	// MaxBuffered bounds BufferedAmount, in bytes. Default
	// pump.DefaultMaxBuffered.
	MaxBuffered int

	// CloseTimeout is how long Close waits without any progress before it
	// gives up on the peer. Default pump.DefaultCloseTimeout.
	CloseTimeout time.Duration

	// HandshakeTimeout bounds what either side may take for TCP, TLS and the
	// upgrade. Default DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// Pin is the SHA-256, in hexadecimal, of the one certificate that Dial
	// accepts; "" means that TLS decides.
	Pin string

	// TLS is cloned. Dialling wss: nil means the system's roots. Listening: it
	// holds the certificate, and the listener serves wss.
	TLS *tls.Config

	// Secure has Listen serve wss with a self-signed certificate made on the
	// spot (see Listener.Pin) if TLS is nil.
	Secure bool

	// Client makes the request with which Dial begins: for proxies, cookies or
	// a transport of the application's. Its own TLS configuration holds then,
	// not Pin and TLS. Default a client that honours HTTPS_PROXY and its kin.
	Client *http.Client

	// Header is added to the request of Dial: Authorization, Origin.
	Header http.Header

	// OriginPatterns are the hosts, beside the server's own, from whose web
	// pages browsers may connect, as patterns of path.Match; with "://" the
	// pattern includes the scheme. Requests without an Origin header do not
	// come from a web page and always pass. Default none.
	OriginPatterns []string

	// MaxPending is the most connections that a listener holds for Accept;
	// further ones are refused with status 503. As many again may be shaking
	// hands. Default DefaultMaxPending.
	MaxPending int
}

func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if !validLabel(opts.Label) {
		return Options{}, ErrLabel
	}
	if opts.MaxMessageSize == 0 {
		opts.MaxMessageSize = DefaultMaxMessageSize
	}
	opts.MaxMessageSize = min(max(opts.MaxMessageSize, transport.MessageSizeFloor), maxMessageSize)
	if opts.MaxBuffered <= 0 {
		opts.MaxBuffered = pump.DefaultMaxBuffered
	}
	if opts.CloseTimeout <= 0 {
		opts.CloseTimeout = pump.DefaultCloseTimeout
	}
	if opts.HandshakeTimeout <= 0 {
		opts.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if opts.MaxPending <= 0 {
		opts.MaxPending = DefaultMaxPending
	}
	return opts, nil
}

func validLabel(label string) bool {
	return len(label) <= MaxLabel && utf8.ValidString(label)
}

// config is that of a channel that notices a dead peer in deadPeer.
func (o Options) config(deadPeer time.Duration) pump.Config {
	return pump.Config{
		Properties: transport.Properties{
			Label:          o.Label,
			MaxMessageSize: o.MaxMessageSize,
			MaxBuffered:    o.MaxBuffered,
			ReceiveBuffer:  kernelReceiveBuffer(),
			Ordered:        true,
			Reliable:       true,
			Buffered:       transport.ReleaseKernel,
			DeadPeer:       deadPeer,
		},
		Headroom:     maxHeader,
		CloseTimeout: o.CloseTimeout,
	}
}
