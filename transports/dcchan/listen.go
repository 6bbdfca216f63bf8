package dcchan

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// Listener is a Handler with an HTTP server of its own.
type Listener struct {
	*Handler
	server *http.Server
	served chan struct{}
	url    string
	pin    string
}

// Listen answers offers at addr, "host:port" for TCP; port 0 picks one. The
// connections themselves use one UDP socket on the same host, any port, unless
// Options.PacketConn is given. With Options.TLS or SelfSigned the offers travel
// by HTTPS.
func Listen(addr string, o *Options) (*Listener, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	config, pin, err := serverTLS(addr, opts)
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dcchan: listen: %w", err)
	}
	if opts.PacketConn == nil {
		ip := tcp.Addr().(*net.TCPAddr).IP
		if opts.PacketConn, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip}); err != nil {
			tcp.Close()
			return nil, fmt.Errorf("dcchan: listen: %w", err)
		}
	}
	l := &Listener{served: make(chan struct{}), url: "webrtc+http://" + tcp.Addr().String() + "/", pin: pin}
	if l.Handler, err = NewHandler(&opts); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	l.server = &http.Server{
		Handler:        l.Handler,
		ReadTimeout:    10 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // of strangers' handshakes
	}
	if config != nil {
		l.url = "webrtc+https://" + tcp.Addr().String() + "/"
		tcp = tls.NewListener(tcp, config)
	}
	go func() {
		defer close(l.served)
		l.server.Serve(tcp) // ends with Close
	}()
	return l, nil
}

// serverTLS returns nil for plain HTTP.
func serverTLS(addr string, opts Options) (*tls.Config, string, error) {
	if opts.TLS != nil {
		config := opts.TLS.Clone()
		if len(config.Certificates) == 0 {
			return config, "", nil
		}
		return config, pinned.Pin(config.Certificates[0]), nil
	}
	if !opts.SelfSigned {
		return nil, "", nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", fmt.Errorf("dcchan: listen: %w", err)
	}
	certificate, err := pinned.New(host)
	if err != nil {
		return nil, "", err
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}}, pinned.Pin(certificate), nil
}

// URL returns what Dial takes.
func (l *Listener) URL() string { return l.url }

// Pin returns the SHA-256 of the certificate, in hexadecimal, for Options.Pin;
// "" if there is none.
func (l *Listener) Pin() string { return l.pin }

// Accept waits, until ctx is done, for the next channel that any peer opens. It
// may be called concurrently. After Close it returns [transport.ErrClosed].
func (l *Listener) Accept(ctx context.Context) (*Channel, error) { return l.Handler.Accept(ctx) }

// Close stops listening and aborts the connections that are left.
func (l *Listener) Close() error {
	err := l.server.Close()
	<-l.served
	return errors.Join(err, l.Handler.Close())
}
