package dcchan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
)

// maxOpening is how many channels Open has under way at once. pion accepts 16
// at a time and discards the rest, which then wait for a retransmission.
const maxOpening = 8

// Conn is a connection that carries channels. Connect makes one; Dial, listeners
// and handlers have their own.
type Conn struct {
	pc      *webrtc.PeerConnection
	mux     ice.UDPMux // closed with the connection, may be nil
	opts    Options
	opening chan struct{} // has room for maxOpening
	up      chan struct{} // DTLS is connected
	dead    chan struct{} // the connection has ended
	gone    chan struct{} // and nothing of it is left

	raised sync.Once
	killed sync.Once

	mu       sync.Mutex // guards the fields below
	closing  bool
	ephemera bool                  // ends with its last channel
	held     bool                  // the application has it
	channels map[*Channel]struct{} // those that have not ended
	reading  map[*Channel]struct{} // those that pion's reader works for
	idle     *time.Timer           // ends an accepted connection without channels, else nil
}

func newConn(api *webrtc.API, mux ice.UDPMux, opts Options) (*Conn, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		ICEServers:                  opts.ICEServers,
		AlwaysNegotiateDataChannels: true,
	})
	if err != nil {
		return nil, fmt.Errorf("dcchan: %w", err)
	}
	p := &Conn{
		pc:       pc,
		mux:      mux,
		opts:     opts,
		opening:  make(chan struct{}, maxOpening),
		up:       make(chan struct{}),
		dead:     make(chan struct{}),
		gone:     make(chan struct{}),
		channels: make(map[*Channel]struct{}),
		reading:  make(map[*Channel]struct{}),
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			p.raised.Do(func() { close(p.up) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			p.kill()
		default:
		}
	})
	return p, nil
}

// PeerConnection returns pion's connection, for its statistics and addresses.
// Its handlers and its Close are not the caller's.
func (p *Conn) PeerConnection() *webrtc.PeerConnection { return p.pc }

// Open opens one more channel and waits until the peer has accepted it or ctx is
// done. It may be called concurrently. Errors match [ErrLabel],
// [transport.ErrClosed] if the connection has ended or the peer refuses the
// channel, and ctx.Err().
func (p *Conn) Open(ctx context.Context, label string) (*Channel, error) {
	if len(label) > MaxLabel || !utf8.ValidString(label) {
		return nil, ErrLabel
	}
	select {
	case p.opening <- struct{}{}:
		defer func() { <-p.opening }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	opened := make(chan struct{})
	dc, err := p.pc.CreateDataChannel(label, nil)
	if err != nil {
		return nil, fmt.Errorf("dcchan: open a channel: %w", transport.Closed(err))
	}
	c := p.channel(dc, func(*Channel) { close(opened) })
	if c == nil {
		return nil, transport.ErrClosed
	}
	select {
	case <-opened:
		return c, nil
	case <-c.over:
		err = transport.ErrClosed
	case <-p.dead:
		err = transport.ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.Close()
	return nil, fmt.Errorf("dcchan: open a channel: %w", err)
}

// channel adds a channel to the connection; onOpen is called once it is open.
// It returns nil, and refuses dc, if the connection is closing or full.
func (p *Conn) channel(dc *webrtc.DataChannel, onOpen func(*Channel)) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing || p.idle != nil && len(p.channels) >= p.opts.MaxChannels {
		dc.Close() // cannot fail before dc is open
		return nil
	}
	opts := p.opts
	opts.PeerConnection = p.pc
	c := newChannel(dc, p, opts)
	p.channels[c], p.reading[c] = struct{}{}, struct{}{}
	if p.idle != nil {
		p.idle.Stop()
	}
	dc.OnOpen(func() {
		c.opened.Store(true)
		onOpen(c)
	})
	return c
}

// Close closes all channels as their Close does, and then the connection. It
// returns the first error.
func (p *Conn) Close() error {
	p.mu.Lock()
	p.closing = true
	channels := slices.Collect(maps.Keys(p.channels))
	p.mu.Unlock()
	errs := make([]error, len(channels))
	var wg sync.WaitGroup
	for i, c := range channels {
		wg.Go(func() { errs[i] = c.Close() })
	}
	wg.Wait()
	p.linger(activeLinger)
	<-p.gone
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// leave takes an ended channel off the connection.
func (p *Conn) leave(c *Channel, linger time.Duration) {
	p.mu.Lock()
	delete(p.channels, c)
	if !c.opened.Load() {
		delete(p.reading, c)
	}
	last := len(p.channels) == 0
	if last && p.idle != nil {
		p.idle.Reset(p.opts.ConnectTimeout)
	}
	ends := last && p.ephemera
	p.mu.Unlock()
	if ends {
		go p.linger(linger)
	}
}

// read takes a channel whose reader has ended off the list.
func (p *Conn) read(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.reading, c)
}

// onlyHas says whether c is all there is on a connection that nobody holds.
func (p *Conn) onlyHas(c *Channel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, has := p.channels[c]
	return has && len(p.channels) == 1 && !p.held
}

// awaitRelease waits for a connection that ends with its last channel, if that
// has ended.
func (p *Conn) awaitRelease() {
	p.mu.Lock()
	ends := len(p.channels) == 0 && p.ephemera
	p.mu.Unlock()
	if ends {
		<-p.gone
	}
}

// linger ends the connection when the peer has, or after d.
func (p *Conn) linger(d time.Duration) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(closePoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, up := p.pc.SCTP().Metadata(); up {
				continue
			}
		case <-deadline.C:
		case <-p.dead:
		}
		p.kill()
		return
	}
}

// kill ends the connection: the peer is told with an SCTP ABORT, and channels
// that are still open learn transport.ErrAborted.
func (p *Conn) kill() {
	p.killed.Do(func() {
		close(p.dead)
		go p.teardown()
	})
}

// teardown waits for pion's goroutines, and before that for its readers: once
// GracefulClose has begun, they drop what they have not delivered.
func (p *Conn) teardown() {
	p.pc.Close() // reports what was broken anyway
	p.mu.Lock()
	p.closing = true
	if p.idle != nil {
		p.idle.Stop()
	}
	reading := slices.Collect(maps.Keys(p.reading))
	p.mu.Unlock()
	for _, c := range reading {
		c.awaitReader()
	}
	p.pc.GracefulClose()
	if p.mux != nil {
		p.mux.Close()
	}
	close(p.gone)
}
