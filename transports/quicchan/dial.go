package quicchan

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/udp"
)

const scheme = "quic"

// attemptDelay is how long an address has before the next one is tried beside
// it (RFC 8305, section 5).
const attemptDelay = 250 * time.Millisecond

// Dial connects to a listener and opens one channel, which owns the connection.
// target is a URL of the form quic://host:port (see [Listener.URL]).
//
// The certificate is checked against Options.Pin, or else as Options.TLS says.
// Errors match [pinned.ErrPin] for another certificate than the pinned one,
// [transport.ErrPeerGone] when nobody answers, [ErrBusy] when the listener has
// no room, and what TLS or quic-go returned.
func Dial(ctx context.Context, target string, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	opts = opts.owned()
	conn, closeConn, err := connect(ctx, target, opts)
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		closeConn(codeAborted)
		return nil, fmt.Errorf("quicchan: open a stream: %w", located(err))
	}
	return newChannel(&carrier{stream: stream, release: closeConn}, conn, opts)
}

// Connect is Dial for those who want several channels on one connection: open
// them with [Open] and the same Options. The caller closes the connection with
// code 0, after the channels; that releases its socket, too.
func Connect(ctx context.Context, target string, o *Options) (*quic.Conn, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	conn, _, err := connect(ctx, target, opts.owned())
	return conn, err
}

func connect(ctx context.Context, target string, opts Options) (_ *quic.Conn, _ func(quic.ApplicationErrorCode), err error) {
	socket := opts.PacketConn
	defer func() {
		if err != nil && socket != nil {
			socket.Close()
		}
	}()
	u, err := url.Parse(target)
	if err != nil {
		return nil, nil, fmt.Errorf("quicchan: dial: %w", err)
	}
	if u.Scheme != scheme || u.Port() == "" {
		return nil, nil, fmt.Errorf("quicchan: dial %q: want %s://host:port", target, scheme)
	}
	config, err := clientTLS(opts, u.Hostname())
	if err != nil {
		return nil, nil, err
	}
	addrs, err := resolve(ctx, u.Hostname(), u.Port())
	if err != nil {
		return nil, nil, fmt.Errorf("quicchan: dial %s: %w", u.Host, err)
	}
	if socket == nil {
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, nil, fmt.Errorf("quicchan: dial %s: %w", u.Host, err)
		}
	}
	return dialOver(ctx, socket, addrs, config, opts)
}

// dialOver owns socket. The function returned closes the connection and then
// everything below it.
func dialOver(ctx context.Context, socket net.PacketConn, addrs []*net.UDPAddr, config *tls.Config, opts Options) (*quic.Conn, func(quic.ApplicationErrorCode), error) {
	socket = udp.Wrap(socket)
	tr := &quic.Transport{Conn: socket}
	conn, err := race(ctx, tr, addrs, config, opts.quicConfig())
	if err != nil {
		tr.Close()
		socket.Close()
		return nil, nil, fmt.Errorf("quicchan: dial %v: %w", addrs[0], located(err))
	}
	released := make(chan struct{})
	context.AfterFunc(conn.Context(), func() {
		defer close(released)
		tr.Close()
		socket.Close()
	})
	return conn, func(code quic.ApplicationErrorCode) {
		conn.CloseWithError(code, "")
		<-released
	}, nil
}

// race dials the addresses, each a little after the one before, and returns the
// first connection, or the first error.
func race(ctx context.Context, tr *quic.Transport, addrs []*net.UDPAddr, config *tls.Config, qc *quic.Config) (*quic.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn *quic.Conn
		err  error
	}
	results := make(chan result)
	for i, addr := range addrs {
		go func() {
			select {
			case <-time.After(time.Duration(i) * attemptDelay):
			case <-ctx.Done():
			}
			conn, err := tr.Dial(ctx, addr, config, qc)
			results <- result{conn, err}
		}()
	}
	var won *quic.Conn
	var first error
	for range addrs {
		r := <-results
		switch {
		case r.err != nil && first == nil:
			first = r.err
		case r.err == nil && won == nil:
			won = r.conn
			cancel()
		case r.err == nil:
			r.conn.CloseWithError(codeDone, "")
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, first
}

func resolve(ctx context.Context, host, port string) ([]*net.UDPAddr, error) {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]*net.UDPAddr, len(ips))
	for i, ip := range ips {
		addrs[i] = &net.UDPAddr{IP: ip.IP, Zone: ip.Zone, Port: int(number)}
	}
	return addrs, nil
}

func clientTLS(opts Options, host string) (*tls.Config, error) {
	config := &tls.Config{}
	switch {
	case opts.Pin != "":
		var err error
		if config, err = pinned.Client(opts.Pin); err != nil {
			return nil, err
		}
	case opts.TLS != nil:
		config = opts.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	return withALPN(config), nil
}

func withALPN(config *tls.Config) *tls.Config {
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{ALPN}
	}
	return config
}
