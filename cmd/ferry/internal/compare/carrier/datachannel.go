package carrier

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

// dataChannelPlace is a place of bare data channels of pion, with the settings
// of dcchan and without its code. The descriptions are handed over in the
// process.
type dataChannelPlace struct {
	hosts Hosts
	opts  Options
}

func setupDataChannel(h Hosts, o Options) (Place, error) {
	if o.HighWater == 0 {
		o.HighWater = dcchan.DefaultMaxBuffered // to which the chunker clips its own default
	}
	return &dataChannelPlace{h, o}, nil
}

func (p *dataChannelPlace) Close() error { return nil }

// peer is one side of a connection.
type peer struct {
	pc  *webrtc.PeerConnection
	mux ice.UDPMux
}

func newPeer(h link.Host) (*peer, error) {
	socket, err := h.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	silent := logging.NewDefaultLoggerFactory()
	silent.DefaultLogLevel = logging.LogLevelDisabled
	var s webrtc.SettingEngine
	s.LoggerFactory = silent
	dcchan.Configure(&s)
	mux := webrtc.NewICEUDPMux(silent.NewLogger("ice"), socket)
	s.SetICEUDPMux(mux)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, errors.Join(err, mux.Close())
	}
	return &peer{pc, mux}, nil
}

func (p *peer) close() {
	p.pc.GracefulClose()
	p.mux.Close()
}

// describe returns a description with all candidates.
func (p *peer) describe(ctx context.Context, d webrtc.SessionDescription) (webrtc.SessionDescription, error) {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return d, err
	}
	select {
	case <-gathered:
		return *p.pc.LocalDescription(), nil
	case <-ctx.Done():
		return d, context.Cause(ctx)
	}
}

func introduce(ctx context.Context, near, far *peer) error {
	offer, err := near.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if offer, err = near.describe(ctx, offer); err != nil {
		return err
	}
	if err := far.pc.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := far.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if answer, err = far.describe(ctx, answer); err != nil {
		return err
	}
	return near.pc.SetRemoteDescription(answer)
}

func (p *dataChannelPlace) Connect(ctx context.Context, resume bool) (*Session, error) {
	if resume {
		return nil, ErrNoResumption
	}
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	near, err := newPeer(p.hosts.Client)
	if err != nil {
		return nil, err
	}
	s := &Session{close: []func(){near.close}}
	far, err := newPeer(p.hosts.Server)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.close = append(s.close, far.close)
	arrived := make(chan *dataChannel, p.opts.Streams+maxMore)
	far.pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		select {
		case arrived <- newDataChannel(dc, p.opts):
		default:
		}
	})
	s.close = append(s.close, func() { // of those that nobody took
		for {
			select {
			case c := <-arrived:
				c.Close()
			default:
				return
			}
		}
	})
	first, err := near.pc.CreateDataChannel("", nil)
	if err == nil {
		err = introduce(ctx, near, far)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	open := func(ctx context.Context, dc *webrtc.DataChannel) (End, End, error) {
		a := newDataChannel(dc, p.opts)
		s.close = append(s.close, func() { a.Close() })
		if err := a.await(ctx); err != nil {
			return nil, nil, err
		}
		select {
		case b := <-arrived:
			s.close = append(s.close, func() { b.Close() })
			if err := b.await(ctx); err != nil {
				return nil, nil, err
			}
			return newBareEnd(a, p.opts), newBareEnd(b, p.opts), nil
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("the data channel did not arrive: %w", context.Cause(ctx))
		}
	}
	s.more = func(ctx context.Context) (End, End, error) {
		dc, err := near.pc.CreateDataChannel("", nil)
		if err != nil {
			return nil, nil, err
		}
		return open(ctx, dc)
	}
	for i := range p.opts.Streams {
		var a, b End
		if i == 0 {
			a, b, err = open(ctx, first)
		} else {
			a, b, err = s.more(ctx)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		s.Near, s.Far = append(s.Near, a), append(s.Far, b)
	}
	s.HighWater = p.opts.HighWater
	s.Window = sctpWindow(s.HighWater, p.opts.Streams)
	return s, nil
}

// dataChannel writes and reads a data channel as a stream, pacing itself by
// the marks that the uploader uses, too.
type dataChannel struct {
	dc     *webrtc.DataChannel
	opts   Options
	open   chan struct{}
	low    chan struct{}
	closed chan struct{}
	*io.PipeReader
}

func newDataChannel(dc *webrtc.DataChannel, o Options) *dataChannel {
	r, w := io.Pipe()
	c := &dataChannel{
		dc: dc, opts: o, PipeReader: r,
		open: make(chan struct{}), low: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	dc.SetBufferedAmountLowThreshold(uint64(o.HighWater - o.HighWater/8))
	dc.OnBufferedAmountLow(func() {
		select {
		case c.low <- struct{}{}:
		default:
		}
	})
	dc.OnOpen(func() { close(c.open) })
	dc.OnClose(func() {
		close(c.closed)
		w.Close()
	})
	// The reader's pace is the pace of pion's, so that the window closes.
	dc.OnMessage(func(m webrtc.DataChannelMessage) { _, _ = w.Write(m.Data) }) // fails once the reader has gone
	return c
}

func (c *dataChannel) await(ctx context.Context) error {
	select {
	case <-c.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the data channel did not open: %w", context.Cause(ctx))
	}
}

// Write implements io.Writer: one message.
func (c *dataChannel) Write(p []byte) (int, error) {
	for c.Buffered()+len(p) > c.opts.HighWater && c.Buffered() > 0 {
		select {
		case <-c.low:
		case <-c.closed:
			return 0, io.ErrClosedPipe
		}
	}
	if err := c.dc.Send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Buffered is what has not been acknowledged.
func (c *dataChannel) Buffered() int { return int(c.dc.BufferedAmount()) }
