package carrier

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// quicCongestion is what quic-go v0.65 does: congestion.NewCubicSender with
// reno set.
const quicCongestion = "quic-go: Reno, window cut by 30 % at a loss"

func quicCarriers() []Carrier {
	return []Carrier{
		{Name: "quic", Role: result.Transport, Congestion: fixed(quicCongestion), Setup: setupQUIC},
		{Name: "quic-stream", Role: result.Baseline, Of: "quic", Congestion: fixed(quicCongestion), Setup: setupQUICStream},
	}
}

// quicPlace is a place of QUIC channels: one connection, a stream for each flow.
type quicPlace struct {
	hosts    Hosts
	opts     Options
	security *security
	socket   net.PacketConn
	tr       *quic.Transport
	listener *quicchan.Listener
}

func setupQUIC(h Hosts, o Options) (Place, error) {
	socket, err := h.Server.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	p := &quicPlace{hosts: h, opts: o, security: newSecurity(o, quicchan.ALPN), socket: socket, tr: &quic.Transport{Conn: socket}}
	// One more than the flows, for Session.More.
	p.listener, err = quicchan.Serve(p.tr, &quicchan.Options{TLS: p.security.server, MaxStreams: o.Streams + maxMore})
	if err != nil {
		return nil, errors.Join(err, p.tr.Close(), socket.Close())
	}
	return p, nil
}

// maxMore is how many flows Session.More may have open beside the others.
const maxMore = 100

func (p *quicPlace) Connect(ctx context.Context, resume bool) (*Session, error) {
	config, resumed, err := p.security.client(resume)
	if err != nil {
		return nil, err
	}
	socket, err := p.hosts.Client.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	opts := &quicchan.Options{TLS: config, PacketConn: socket, HandshakeTimeout: handshake}
	conn, err := quicchan.Connect(ctx, "quic://"+p.listener.Addr().String(), opts)
	if err != nil {
		return nil, err
	}
	s := &Session{close: []func(){func() { conn.CloseWithError(0, "") }}}
	if resume && !resumed.Load() {
		s.Close()
		return nil, ErrNoResumption
	}
	open := func(ctx context.Context) (near, far *quicchan.Channel, err error) {
		if near, err = quicchan.Open(ctx, conn, opts); err != nil {
			return nil, nil, err
		}
		if far, err = p.listener.Accept(ctx); err != nil {
			near.Abort()
			return nil, nil, err
		}
		return near, far, nil
	}
	for range p.opts.Streams {
		near, far, err := open(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.add(p.opts, near, far)
	}
	s.more = func(ctx context.Context) (End, End, error) {
		near, far, err := open(ctx)
		if err != nil {
			return nil, nil, err
		}
		a, b := channelEnds(p.opts, near, far)
		return a, b, nil
	}
	s.Window = quicWindow(p.opts.Streams)
	return s, nil
}

// quicWindow is what all streams of a connection may have in flight.
func quicWindow(streams int) Window {
	return Window{
		Bytes:   min(2*streams, 5) * quicchan.DefaultReceiveWindow / 2,
		Is:      "the receive window of QUIC",
		Setting: "a ReceiveWindow of %s (quicchan.Options), or --streams",
	}
}

func (p *quicPlace) Close() error {
	return errors.Join(p.listener.Close(), p.tr.Close(), p.socket.Close())
}

// quicStreamPlace is the same with bare streams of quic-go, with its own
// defaults.
type quicStreamPlace struct {
	hosts    Hosts
	opts     Options
	security *security
	socket   net.PacketConn
	tr       *quic.Transport
	listener *quic.Listener
}

func setupQUICStream(h Hosts, o Options) (Place, error) {
	socket, err := h.Server.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	p := &quicStreamPlace{hosts: h, opts: o, security: newSecurity(o, "ferry-compare"), socket: socket, tr: &quic.Transport{Conn: socket}}
	p.listener, err = p.tr.Listen(p.security.server, &quic.Config{MaxIncomingStreams: int64(o.Streams) + maxMore})
	if err != nil {
		return nil, errors.Join(err, p.tr.Close(), socket.Close())
	}
	return p, nil
}

func (p *quicStreamPlace) Connect(ctx context.Context, resume bool) (*Session, error) {
	config, resumed, err := p.security.client(resume)
	if err != nil {
		return nil, err
	}
	socket, err := p.hosts.Client.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	tr := &quic.Transport{Conn: socket}
	s := &Session{close: []func(){func() {
		tr.Close()
		socket.Close()
	}}}
	fail := func(err error) (*Session, error) {
		s.Close()
		return nil, err
	}
	near, err := tr.Dial(ctx, p.listener.Addr(), config, &quic.Config{HandshakeIdleTimeout: handshake})
	if err != nil {
		return fail(err)
	}
	if resume && !resumed.Load() {
		return fail(ErrNoResumption)
	}
	far, err := p.listener.Accept(ctx)
	if err != nil {
		return fail(err)
	}
	s.close[0] = func() {
		near.CloseWithError(0, "")
		far.CloseWithError(0, "")
		tr.Close()
		socket.Close()
	}
	s.more = func(ctx context.Context) (End, End, error) { return p.open(ctx, near, far) }
	for range p.opts.Streams {
		a, b, err := s.more(ctx)
		if err != nil {
			return fail(err)
		}
		s.Near, s.Far = append(s.Near, a), append(s.Far, b)
	}
	s.Window = quicWindow(p.opts.Streams)
	return s, nil
}

// open opens a stream. The acceptor learns of it with the first byte, which is
// not part of the flow.
func (p *quicStreamPlace) open(ctx context.Context, near, far *quic.Conn) (End, End, error) {
	a, err := near.OpenStreamSync(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := a.Write([]byte{0}); err != nil {
		return nil, nil, err
	}
	b, err := far.AcceptStream(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		return nil, nil, err
	}
	return newBareEnd(a, p.opts), newBareEnd(b, p.opts), nil
}

func (p *quicStreamPlace) Close() error {
	return errors.Join(p.listener.Close(), p.tr.Close(), p.socket.Close())
}
