package dcchan

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// The schemes of targets: how the offer travels. The channels themselves are
// always encrypted.
const (
	schemePrefix = "webrtc+"
	mediaType    = "application/sdp"
)

// maxSDP bounds descriptions, in bytes. One of ours takes about 1 KiB.
const maxSDP = 64 << 10

// ErrSignalling: the server did not answer an offer with an answer.
var ErrSignalling = errors.New("dcchan: signalling failed")

// Dial connects to a listener and opens one channel, named Options.Label; the
// connection ends with it. target is a URL of the form webrtc+http://host:port/path
// or webrtc+https://… (see [Listener.URL]).
//
// Errors match [ErrSignalling] if the server does not answer the offer,
// [pinned.ErrPin] for another certificate than the pinned one, [ErrConnect] if
// no connection comes up, and ctx.Err().
func Dial(ctx context.Context, target string, o *Options) (*Channel, error) {
	conn, err := connect(ctx, target, o)
	if err != nil {
		return nil, err
	}
	c, err := conn.Open(ctx, conn.opts.Label)
	if err != nil {
		conn.kill()
		<-conn.gone
		return nil, err
	}
	conn.endWithLast()
	return c, nil
}

// Connect is Dial for those who want several channels on one connection: open
// them with [Conn.Open], and close the connection at the end.
func Connect(ctx context.Context, target string, o *Options) (*Conn, error) {
	conn, err := connect(ctx, target, o)
	if err == nil {
		conn.held = true
	}
	return conn, err
}

// ErrConnect: the peers agreed to talk and could not reach each other. Behind
// NATs or firewalls, give Options.ICEServers.
var ErrConnect = errors.New("dcchan: no connection came up")

func connect(ctx context.Context, target string, o *Options) (*Conn, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	address, ok := strings.CutPrefix(target, schemePrefix)
	u, err := url.Parse(address)
	if !ok || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("dcchan: dial %q: want webrtc+http://host:port/path or webrtc+https://…", target)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, opts.ConnectTimeout, fmt.Errorf("%w within %v", ErrConnect, opts.ConnectTimeout))
	defer cancel()
	var mux ice.UDPMux
	if opts.PacketConn != nil {
		mux = newMux(opts.PacketConn)
	}
	conn, err := newDialled(ctx, u.Hostname(), mux, opts)
	if err != nil {
		if mux != nil {
			mux.Close()
		}
		return nil, err
	}
	if err := conn.invite(ctx, u); err != nil {
		conn.kill()
		<-conn.gone
		return nil, fmt.Errorf("dcchan: dial %s: %w", u.Host, err)
	}
	return conn, nil
}

func newDialled(ctx context.Context, host string, mux ice.UDPMux, opts Options) (*Conn, error) {
	api, err := newAPI(opts, mux, isLoopback(ctx, host))
	if err != nil {
		return nil, err
	}
	return newConn(api, mux, opts)
}

// isLoopback says whether the server is on this machine. Then nothing but the
// loopback interface is used, which is there without any network.
func isLoopback(ctx context.Context, host string) bool {
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	return err == nil && len(ips) > 0 && (ips[0].IsLoopback() || ips[0].IsUnspecified())
}

// invite offers the connection to the server and waits until it is up.
func (p *Conn) invite(ctx context.Context, u *url.URL) error {
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	client := p.opts.Client
	if client == nil {
		if client, err = newSignaller(p.opts); err != nil {
			return err
		}
		defer client.CloseIdleConnections()
	}
	answer, session, err := post(ctx, client, u, p.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	err = p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSignalling, err)
	} else {
		select {
		case <-p.up:
			return nil
		case <-p.dead:
			err = ErrConnect
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	hangUp(client, session)
	return err
}

func newSignaller(opts Options) (*http.Client, error) {
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
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment}}, nil
}

// post sends an offer (RFC 9725, section 4.2).
func post(ctx context.Context, client *http.Client, u *url.URL, offer string) (answer string, session *url.URL, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(offer))
	if err != nil {
		return "", nil, err
	}
	request.Header.Set("Content-Type", mediaType)
	response, err := client.Do(request)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrSignalling, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSDP))
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrSignalling, err)
	}
	if response.StatusCode != http.StatusCreated {
		line, _, _ := bytes.Cut(body, []byte("\n"))
		return "", nil, fmt.Errorf("%w: the server says %s: %.200s", ErrSignalling, response.Status, line)
	}
	session, _ = response.Location() // without one there is nothing to delete
	return string(body), session, nil
}

// hangUp spares the server the wait for a peer that will not come.
func hangUp(client *http.Client, session *url.URL) {
	if session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, session.String(), nil)
	if err != nil {
		return
	}
	if response, err := client.Do(request); err == nil {
		response.Body.Close()
	}
}

// endWithLast has the connection end with its last channel.
func (p *Conn) endWithLast() {
	p.mu.Lock()
	p.ephemera = true
	ended := len(p.channels) == 0
	p.mu.Unlock()
	if ended {
		go p.linger(0)
	}
}
