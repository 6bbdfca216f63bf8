package quicchan

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/udp"
)

// Listener accepts channels: every stream of every connection is one.
type Listener struct {
	opts    Options
	quic    *quic.Listener
	pin     string
	offers  chan offer
	closed  chan struct{}
	release func() // gives up the transport and its socket, after everything else

	connecting atomic.Int64 // connections that exist, also those shaking hands

	mu        sync.Mutex // guards the fields below
	closing   bool
	accepting sync.WaitGroup // acceptConnections
	peers     map[*peer]struct{}
}

// offer is a channel whose preamble has been read. Nothing more is read until
// somebody accepts it, so that a stranger can fill no more than the first
// receive windows.
type offer struct {
	carrier *carrier
	conn    *quic.Conn
}

// Listen listens on a UDP address such as "127.0.0.1:0". The listener owns the
// socket and releases it when it is closed and the last channel accepted from
// it has ended.
func Listen(addr string, o *Options) (*Listener, error) {
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("quicchan: listen: %w", err)
	}
	socket, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, fmt.Errorf("quicchan: listen: %w", err)
	}
	return listenOver(socket, o)
}

// listenOver owns socket.
func listenOver(socket net.PacketConn, o *Options) (*Listener, error) {
	socket = udp.Wrap(socket)
	tr := &quic.Transport{Conn: socket}
	release := sync.OnceFunc(func() {
		tr.Close()
		socket.Close()
	})
	l, err := newListener(o, func(l *Listener, config *tls.Config) (*quic.Listener, error) {
		tr.StatelessResetKey = resetKey(config)
		tr.ConnContext = l.admit
		tr.VerifySourceAddress = l.suspicious
		return tr.Listen(config, l.opts.quicConfig())
	})
	if err != nil {
		release()
		return nil, err
	}
	l.release = release
	l.accepting.Go(l.acceptConnections)
	return l, nil
}

// Serve listens on a transport of the application's, which stays the
// application's and must outlive the channels. Its limits on strangers before
// and during the handshake (quic.Transport.VerifySourceAddress, ConnContext)
// are the application's, too.
func Serve(tr *quic.Transport, o *Options) (*Listener, error) {
	l, err := newListener(o, func(l *Listener, config *tls.Config) (*quic.Listener, error) {
		return tr.Listen(config, l.opts.quicConfig())
	})
	if err != nil {
		return nil, err
	}
	l.release = func() {}
	l.accepting.Go(l.acceptConnections)
	return l, nil
}

func newListener(o *Options, listen func(*Listener, *tls.Config) (*quic.Listener, error)) (*Listener, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{}
	if opts.TLS != nil {
		config = opts.TLS.Clone()
	} else {
		cert, err := pinned.New()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	l := &Listener{
		opts:   opts.owned(),
		offers: make(chan offer),
		closed: make(chan struct{}),
		peers:  make(map[*peer]struct{}),
	}
	if len(config.Certificates) > 0 {
		l.pin = pinned.Pin(config.Certificates[0])
	}
	if l.quic, err = listen(l, withALPN(config)); err != nil {
		return nil, fmt.Errorf("quicchan: listen: %w", err)
	}
	return l, nil
}

// resetKey comes from the certificate's key, so that a listener restarted with
// the same certificate tells its former peers at once that their connections
// are gone (RFC 9000, section 10.3). It is nil where there is no such key.
func resetKey(config *tls.Config) *quic.StatelessResetKey {
	if len(config.Certificates) == 0 {
		return nil
	}
	secret, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
	if err != nil {
		return nil // the key is held by hardware
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "chunkferry stateless reset", len(quic.StatelessResetKey{}))
	if err != nil {
		return nil
	}
	return (*quic.StatelessResetKey)(key)
}

// admit counts connections from their first packet to their end.
func (l *Listener) admit(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	if l.connecting.Add(1) > int64(l.opts.MaxConnections) {
		l.connecting.Add(-1)
		return nil, ErrBusy
	}
	context.AfterFunc(ctx, func() { l.connecting.Add(-1) })
	return ctx, nil
}

// suspicious has strangers prove their address, at the cost of a round trip,
// while there are many of them.
func (l *Listener) suspicious(net.Addr) bool {
	return l.connecting.Load() >= int64(l.opts.MaxConnections+3)/4
}

// Addr returns the UDP address listened on.
func (l *Listener) Addr() net.Addr { return l.quic.Addr() }

// URL returns what Dial takes, with the address listened on or, if that is
// every address, with localhost.
func (l *Listener) URL() string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
	return u.String()
}

// Pin returns the SHA-256 of the listener's certificate, for Options.Pin of
// those who dial; "" if the certificate is chosen by a callback.
func (l *Listener) Pin() string { return l.pin }

// Accept returns the next channel that a peer has opened. Any number of
// goroutines may call it; a slow peer holds up nobody.
//
// It returns ctx.Err() when ctx is done and [ErrListenerClosed] after Close.
func (l *Listener) Accept(ctx context.Context) (*Channel, error) {
	for {
		select {
		case o := <-l.offers:
			if ch, err := newChannel(o.carrier, o.conn, l.opts); err == nil {
				return ch, nil
			}
		case <-l.closed:
			return nil, ErrListenerClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close stops accepting, refuses what has not been accepted yet, and leaves the
// channels accepted alone. It may be called repeatedly and returns nil.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return nil
	}
	l.closing = true
	idle := make([]*peer, 0, len(l.peers))
	for p := range l.peers {
		if p.channels == 0 {
			idle = append(idle, p)
		}
	}
	l.mu.Unlock()

	close(l.closed)
	for _, p := range idle {
		p.conn.CloseWithError(codeDone, "listener closed")
	}
	l.quic.Close()
	l.accepting.Wait()
	l.mu.Lock()
	last := len(l.peers) == 0
	l.mu.Unlock()
	if last {
		l.release()
	}
	return nil
}

func (l *Listener) acceptConnections() {
	for {
		conn, err := l.quic.Accept(context.Background())
		if err != nil {
			return
		}
		l.welcome(conn)
	}
}
