package wschan

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// labelParameter is the query parameter that the label travels in.
const labelParameter = "label"

// Dial connects to a WebSocket server. target is a URL of the form
// ws://host:port/path or wss://host:port/path (see [Listener.URL]).
//
// The certificate is checked against Options.Pin, or else as Options.TLS says.
// ctx bounds the handshake, as Options.HandshakeTimeout does, and nothing after
// it. Errors are a [*HandshakeError] if the server answered but did not upgrade,
// match [pinned.ErrPin] for another certificate than the pinned one, ErrLabel,
// ctx.Err(), and are otherwise the network's.
func Dial(ctx context.Context, target string, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	u, err := dialURL(target, &opts)
	if err != nil {
		return nil, err
	}
	client, err := opts.client()
	if err != nil {
		return nil, err
	}
	up := &upgrader{RoundTripper: client.Transport}
	if up.RoundTripper == nil {
		up.RoundTripper = http.DefaultTransport
	}
	client.Transport = up

	var socket net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { socket = info.Conn },
	})
	ctx, cancel := context.WithTimeout(ctx, opts.HandshakeTimeout)
	defer cancel()
	p := newPongs()
	conn, resp, err := websocket.Dial(ctx, u, &websocket.DialOptions{
		HTTPClient:     client,
		HTTPHeader:     opts.Header,
		OnPingReceived: p.onPing,
		OnPongReceived: p.onPong,
	})
	switch {
	case err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, &HandshakeError{URL: target, Status: resp.StatusCode, Err: err}
	case err != nil:
		return nil, fmt.Errorf("wschan: dial %s: %w", target, err)
	}
	return owned(conn, socket, up.stream, p, opts), nil
}

// dialURL adds the label to target, or learns it from there.
func dialURL(target string, opts *Options) (string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("wschan: dial: %w", err)
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return "", fmt.Errorf("wschan: dial %q: want ws://host:port/path or wss://", target)
	}
	query := u.Query()
	if opts.Label == "" {
		opts.Label = query.Get(labelParameter)
		if !validLabel(opts.Label) {
			return "", ErrLabel
		}
		return u.String(), nil
	}
	query.Set(labelParameter, opts.Label)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// client returns a copy of the application's client, or one of our own that
// keeps no connections.
func (o *Options) client() (*http.Client, error) {
	if o.Client != nil {
		c := *o.Client
		return &c, nil
	}
	config := new(tls.Config)
	switch {
	case o.Pin != "":
		var err error
		if config, err = pinned.Client(o.Pin); err != nil {
			return nil, err
		}
	case o.TLS != nil:
		config = o.TLS.Clone()
		config.NextProtos = nil // an upgrade needs HTTP/1.1
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dialRecords,
		TLSClientConfig:   config,
		DisableKeepAlives: true,
	}}, nil
}
