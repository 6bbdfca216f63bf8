package wschan

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// maxHeaderBytes bounds the request of a stranger.
const maxHeaderBytes = 16 << 10

// Accept upgrades a request to a channel; the handler may return while the
// channel lives on. When it returns an error the request has been answered.
//
// Requests from web pages of other origins are refused with status 403 unless
// Options.OriginPatterns allow them.
func Accept(w http.ResponseWriter, r *http.Request, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return nil, err
	}
	if label := r.URL.Query().Get(labelParameter); label != "" {
		opts.Label = label
	}
	if !validLabel(opts.Label) {
		http.Error(w, ErrLabel.Error(), http.StatusBadRequest)
		return nil, ErrLabel
	}
	p := newPongs()
	h := &hijacker{ResponseWriter: w}
	if canHijack(w) {
		w = h
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OriginPatterns: opts.OriginPatterns,
		OnPingReceived: p.onPing,
		OnPongReceived: p.onPong,
	})
	if err != nil {
		return nil, fmt.Errorf("wschan: accept %s: %w", r.RemoteAddr, err)
	}
	return owned(conn, h.conn, h.stream, p, opts), nil
}

// Listener accepts channels: every WebSocket connection is one. It is an
// http.Handler, too.
type Listener struct {
	opts   Options
	server *http.Server // nil: the application serves
	url    string
	pin    string

	places chan struct{} // one for each channel in ready or about to be
	ready  chan *Channel
	closed chan struct{}
	stop   sync.Once
}

// NewHandler returns a listener without a socket, for an HTTP server of the
// application's: every request that the server hands to it becomes a channel
// for Accept. URL and Pin return "".
func NewHandler(o *Options) (*Listener, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Listener{
		opts:   opts,
		places: make(chan struct{}, opts.MaxPending),
		ready:  make(chan *Channel, opts.MaxPending),
		closed: make(chan struct{}),
	}, nil
}

// Listen listens on a TCP address such as "127.0.0.1:0" and serves WebSocket
// on every path: wss if Options.TLS or Options.Secure is set, else ws.
func Listen(addr string, o *Options) (*Listener, error) {
	l, err := NewHandler(o)
	if err != nil {
		return nil, err
	}
	config, err := l.opts.serverTLS()
	if err != nil {
		return nil, err
	}
	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("wschan: listen: %w", err)
	}
	gate := newGate(socket, l.opts.MaxPending)
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: l.opts.HandshakeTimeout,
		IdleTimeout:       l.opts.HandshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         gate.changed,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	scheme, listener := "ws", net.Listener(gate)
	if config != nil {
		scheme, listener = "wss", NewTLSListener(gate, config)
		if len(config.Certificates) > 0 {
			l.pin = pinned.Pin(config.Certificates[0])
		}
	}
	l.url = urlOf(scheme, socket.Addr())
	go l.server.Serve(listener)
	return l, nil
}

func (o Options) serverTLS() (*tls.Config, error) {
	config := new(tls.Config)
	switch {
	case o.TLS != nil:
		config = o.TLS.Clone()
	case o.Secure:
		cert, err := pinned.New()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	default:
		return nil, nil
	}
	config.NextProtos = []string{"http/1.1"}
	return config, nil
}

func urlOf(scheme string, addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/"}
	return u.String()
}

// URL returns what Dial takes, with the address listened on or, if that is
// every address, with localhost.
func (l *Listener) URL() string { return l.url }

// Pin returns the SHA-256 of the listener's certificate, for Options.Pin of
// those who dial; "" without TLS, or if the certificate is chosen by a
// callback.
func (l *Listener) Pin() string { return l.pin }

// ServeHTTP implements http.Handler: it upgrades the request and keeps the
// channel for Accept.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.isClosed() {
		http.Error(w, "listener closed", http.StatusServiceUnavailable)
		return
	}
	select {
	case l.places <- struct{}{}:
	default:
		http.Error(w, "too many connections are waiting", http.StatusServiceUnavailable)
		return
	}
	ch, err := Accept(w, r, &l.opts)
	if err != nil {
		<-l.places
		return
	}
	l.ready <- ch
	l.dropIfClosed()
}

// Accept returns the next channel that a peer has opened. Any number of
// goroutines may call it; a slow peer holds up nobody.
//
// It returns ctx.Err() when ctx is done and [ErrListenerClosed] after Close.
func (l *Listener) Accept(ctx context.Context) (*Channel, error) {
	select {
	case ch := <-l.ready:
		<-l.places
		return ch, nil
	case <-l.closed:
		return nil, ErrListenerClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close stops accepting, aborts what has not been accepted yet, and leaves the
// channels accepted alone. It may be called repeatedly and returns nil.
func (l *Listener) Close() error {
	l.stop.Do(func() {
		close(l.closed)
		if l.server != nil {
			l.server.Close()
		}
	})
	l.dropIfClosed()
	return nil
}

// dropIfClosed gives up the channels that nobody will accept any more.
func (l *Listener) dropIfClosed() {
	for l.isClosed() {
		select {
		case ch := <-l.ready:
			<-l.places
			ch.Abort()
		default:
			return
		}
	}
}

func (l *Listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}
