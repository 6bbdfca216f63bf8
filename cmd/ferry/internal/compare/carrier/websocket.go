package carrier

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transports/wschan"
)

// webSockets are the carriers over TCP. Encrypted and plain ones each have the
// bare TCP or TLS stream and the bare WebSocket library beside them.
func webSockets() []Carrier {
	carrier := func(name string, role result.Role, of string, setup func(Hosts, Options) (Place, error)) Carrier {
		return Carrier{Name: name, Role: role, Of: of, Congestion: overTCP, Setup: setup}
	}
	adapter := func(secure bool) func(Hosts, Options) (Place, error) {
		return func(h Hosts, o Options) (Place, error) {
			l, err := wschan.NewHandler(&wschan.Options{MaxPending: o.Streams})
			if err != nil {
				return nil, err
			}
			return newWeb(h, o, secure, &adapted{l})
		}
	}
	library := func(secure bool) func(Hosts, Options) (Place, error) {
		return func(h Hosts, o Options) (Place, error) {
			return newWeb(h, o, secure, &bare{make(chan *websocket.Conn, o.Streams)})
		}
	}
	stream := func(secure bool) func(Hosts, Options) (Place, error) {
		return func(h Hosts, o Options) (Place, error) { return newStream(h, o, secure) }
	}
	return []Carrier{
		carrier("ws", result.Transport, "", adapter(false)),
		carrier("tcp", result.Baseline, "ws", stream(false)),
		carrier("websocket", result.Baseline, "ws", library(false)),
		carrier("wss", result.Transport, "", adapter(true)),
		carrier("tls", result.Baseline, "wss", stream(true)),
		carrier("websocket-tls", result.Baseline, "wss", library(true)),
	}
}

// web is a place of WebSockets. Every flow is a connection.
type web struct {
	hosts    Hosts
	opts     Options
	secure   bool
	security *security
	server   *http.Server
	url      string
	flows    webFlows
}

// webFlows is what happens on both ends of a WebSocket connection.
type webFlows interface {
	http.Handler
	open(ctx context.Context, url string, client *http.Client, s *Session, o Options) error
	close()
}

func newWeb(h Hosts, o Options, secure bool, flows webFlows) (*web, error) {
	listener, err := h.Server.ListenTCP(0)
	if err != nil {
		return nil, err
	}
	p := &web{hosts: h, opts: o, secure: secure, security: newSecurity(o, "http/1.1"), url: "ws://" + listener.Addr().String() + "/", flows: flows}
	if secure {
		p.url = "wss://" + listener.Addr().String() + "/"
		listener = tls.NewListener(listener, p.security.server)
	}
	p.server = &http.Server{Handler: flows, ErrorLog: log.New(io.Discard, "", 0)}
	go p.server.Serve(listener) // ends with Close
	return p, nil
}

func (p *web) Connect(ctx context.Context, resume bool) (*Session, error) {
	if resume && !p.secure {
		return nil, ErrNoResumption
	}
	s := new(Session)
	for range p.opts.Streams {
		config, resumed, err := p.security.client(resume)
		if err != nil {
			s.Close()
			return nil, err
		}
		transport := &http.Transport{DialContext: p.hosts.Client.DialContext, TLSClientConfig: config, DisableKeepAlives: true}
		if err := p.flows.open(ctx, p.url, &http.Client{Transport: transport}, s, p.opts); err != nil {
			s.Close()
			return nil, err
		}
		if resume && !resumed.Load() {
			s.Close()
			return nil, ErrNoResumption
		}
	}
	return s, nil
}

func (p *web) Close() error {
	err := p.server.Close()
	p.flows.close()
	return err
}

// adapted are the flows of wschan.
type adapted struct{ *wschan.Listener }

func (a *adapted) open(ctx context.Context, url string, client *http.Client, s *Session, o Options) error {
	near, err := wschan.Dial(ctx, url, &wschan.Options{Client: client, HandshakeTimeout: handshake})
	if err != nil {
		return err
	}
	s.close = append(s.close, func() { near.Abort() })
	far, err := a.Accept(ctx)
	if err != nil {
		return err
	}
	s.add(o, near, far)
	return nil
}

func (a *adapted) close() { a.Close() }

// bare are the flows of the library alone, each write of which is a message.
type bare struct{ accepted chan *websocket.Conn }

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the client sees it
	}
	select {
	case b.accepted <- c:
	case <-r.Context().Done():
		c.CloseNow()
	}
}

func (b *bare) open(ctx context.Context, url string, client *http.Client, s *Session, o Options) error {
	near, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return err
	}
	s.addMessages(o, near, nil)
	select {
	case far := <-b.accepted:
		s.addMessages(o, nil, far)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *bare) close() {
	for {
		select {
		case c := <-b.accepted:
			c.CloseNow()
		default:
			return
		}
	}
}

// addMessages adds the end or ends given.
func (s *Session) addMessages(o Options, near, far *websocket.Conn) {
	end := func(c *websocket.Conn) End {
		c.SetReadLimit(-1)
		ctx, cancel := context.WithCancel(context.Background())
		s.close = append(s.close, func() {
			cancel()
			c.CloseNow()
		})
		return newBareEnd(websocket.NetConn(ctx, c, websocket.MessageBinary), o)
	}
	if near != nil {
		s.Near = append(s.Near, end(near))
	}
	if far != nil {
		s.Far = append(s.Far, end(far))
	}
}

// stream is a place of bare TCP or TLS connections.
type stream struct {
	hosts    Hosts
	opts     Options
	secure   bool
	security *security
	listener net.Listener
}

func newStream(h Hosts, o Options, secure bool) (*stream, error) {
	l, err := h.Server.ListenTCP(0)
	if err != nil {
		return nil, err
	}
	p := &stream{hosts: h, opts: o, secure: secure, security: newSecurity(o), listener: l}
	if secure {
		p.listener = tls.NewListener(l, p.security.server)
	}
	return p, nil
}

func (p *stream) Connect(ctx context.Context, resume bool) (*Session, error) {
	if resume && !p.secure {
		return nil, ErrNoResumption
	}
	s := new(Session)
	for range p.opts.Streams {
		if err := p.connect(ctx, resume, s); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (p *stream) connect(ctx context.Context, resume bool, s *Session) error {
	accepted := make(chan error, 1)
	var far net.Conn
	go func() {
		var err error
		far, err = p.listener.Accept()
		if c, ok := far.(*tls.Conn); ok && err == nil {
			err = c.HandshakeContext(ctx)
		}
		accepted <- err
	}()
	near, err := p.hosts.Client.DialContext(ctx, "tcp", p.listener.Addr().String())
	if err != nil {
		return err
	}
	s.addStream(p.opts, &s.Near, near)
	if p.secure {
		config, resumed, err := p.security.client(resume)
		if err != nil {
			return err
		}
		c := tls.Client(near, config)
		if err := c.HandshakeContext(ctx); err != nil {
			return err
		}
		if resume && !resumed.Load() {
			return ErrNoResumption
		}
		s.Near[len(s.Near)-1] = newBareEnd(c, p.opts)
	}
	select {
	case err = <-accepted:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	s.addStream(p.opts, &s.Far, far)
	return nil
}

func (s *Session) addStream(o Options, ends *[]End, c net.Conn) {
	*ends = append(*ends, newBareEnd(c, o))
	s.close = append(s.close, func() { c.Close() })
}

func (p *stream) Close() error { return p.listener.Close() }
