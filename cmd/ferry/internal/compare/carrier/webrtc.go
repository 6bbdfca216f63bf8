package carrier

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

// sctpCongestion is what pion/sctp v1.12 does.
const sctpCongestion = "pion/sctp: Reno of RFC 9260, with RACK"

// handshake bounds the opening of a connection over the worst of links.
const handshake = 20 * time.Second

func webRTC() []Carrier {
	return []Carrier{
		{Name: "webrtc", Role: result.Transport, Congestion: fixed(sctpCongestion), Setup: setupWebRTC},
		{Name: "datachannel", Role: result.Baseline, Of: "webrtc", Congestion: fixed(sctpCongestion), Setup: setupDataChannel},
	}
}

// webRTCPlace is a place of data channels: one connection with a channel for
// each flow, and signalling by HTTP over the same link.
type webRTCPlace struct {
	hosts   Hosts
	opts    Options
	handler *dcchan.Handler
	server  *http.Server
	url     string
}

func setupWebRTC(h Hosts, o Options) (Place, error) {
	listener, err := h.Server.ListenTCP(0)
	if err != nil {
		return nil, err
	}
	socket, err := h.Server.ListenPacket(0)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	handler, err := dcchan.NewHandler(&dcchan.Options{PacketConn: socket, MaxBuffered: o.HighWater, MaxChannels: o.Streams + maxMore, ConnectTimeout: handshake})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p := &webRTCPlace{
		hosts: h, opts: o, handler: handler,
		server: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)},
		url:    "webrtc+http://" + listener.Addr().String() + "/",
	}
	go p.server.Serve(listener) // ends with Close
	return p, nil
}

func (p *webRTCPlace) Connect(ctx context.Context, resume bool) (*Session, error) {
	if resume {
		return nil, ErrNoResumption
	}
	socket, err := p.hosts.Client.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: p.hosts.Client.DialContext}
	defer transport.CloseIdleConnections()
	conn, err := dcchan.Connect(ctx, p.url, &dcchan.Options{
		PacketConn: socket, Client: &http.Client{Transport: transport}, MaxBuffered: p.opts.HighWater, ConnectTimeout: handshake,
	})
	if err != nil {
		return nil, err
	}
	s := new(Session)
	open := func(ctx context.Context) (near, far *dcchan.Channel, err error) {
		if near, err = conn.Open(ctx, ""); err != nil {
			return nil, nil, err
		}
		if far, err = p.handler.Accept(ctx); err != nil {
			near.Abort()
			return nil, nil, err
		}
		return near, far, nil
	}
	// Abort the channels before the connection is closed, which would wait for
	// what they hold.
	var channels []*dcchan.Channel
	s.close = []func(){func() {
		for _, c := range channels {
			c.Abort()
		}
		conn.Close()
	}}
	for range p.opts.Streams {
		near, far, err := open(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		channels = append(channels, near, far)
		s.Properties = near.Properties()
		s.HighWater = HighWater(near, p.opts)
		a, b := channelEnds(p.opts, near, far)
		s.Near, s.Far = append(s.Near, a), append(s.Far, b)
	}
	s.more = func(ctx context.Context) (End, End, error) {
		near, far, err := open(ctx)
		if err != nil {
			return nil, nil, err
		}
		channels = append(channels, near, far)
		a, b := channelEnds(p.opts, near, far)
		return a, b, nil
	}
	s.Window = sctpWindow(s.HighWater, p.opts.Streams)
	return s, nil
}

// sctpWindow is what may be unacknowledged: what the senders buffer, since that
// is where a message stays until it is acknowledged, or the receiver's window.
func sctpWindow(highWater, streams int) Window {
	if marks := highWater * streams; marks < dcchan.ReceiveBuffer {
		return Window{
			Bytes: marks, Refilled: true,
			Is:      "the high-water mark, as a data channel counts a message as buffered until it is acknowledged",
			Setting: "--high-water %s (in a program: HighWater of the chunker and MaxBuffered of dcchan)",
		}
	}
	return Window{Bytes: dcchan.ReceiveBuffer, Is: "the receive buffer of SCTP (dcchan.ReceiveBuffer)", Setting: "another transport: it takes %s, and this window is fixed"}
}

func (p *webRTCPlace) Close() error {
	return errors.Join(p.server.Close(), p.handler.Close())
}
