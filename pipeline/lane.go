package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// lane is a channel that carries blocks of a sending.
type lane struct {
	s     *sending
	route string
	extra bool // may join, not offer
	wire  *wire
	hello helloR

	ctx    context.Context
	cancel context.CancelCauseFunc // its cause says why the lane ended

	heard    atomic.Int64 // nanoseconds since s.began when the receiver last spoke
	sent     atomic.Int64 // payload bytes that the channel took
	arrived  atomic.Int64 // payload bytes that the receiver says have come
	spoke    atomic.Int64 // when we last sent anything
	pings    [2]time.Duration
	names    []Committed
	accepted accept // gathered from accept and held

	// guarded by s.mu
	ready    bool // accepted: blocks may be sent
	credit   int64
	inflight int64 // bytes announced and not acknowledged
	window   window
	doneSent bool
	told     bitmap // blocks whose hash went this way
}

// minWindow is what may be unacknowledged on all lanes together before
// anything is known about the path.
const minWindow = 4 << 20

func (l *lane) now() time.Duration { return time.Since(l.s.began) }

// serve runs the lane from the receiver's hello on until it ends, and returns
// why. started is called when the receiver has accepted.
func (l *lane) serve(started func()) error {
	s := l.s
	stop := context.AfterFunc(l.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	var work sync.WaitGroup
	work.Go(l.watch)
	heard := make(chan struct{})
	work.Go(func() {
		defer close(heard)
		l.cancel(l.receive(started))
	})
	err := l.greet()
	if err == nil {
		err = l.send()
	}
	if errors.Is(err, transport.ErrClosed) { // the receiver's last word may say why
		select {
		case <-heard:
		case <-l.ctx.Done():
		}
	}
	l.cancel(err)
	work.Wait()
	return context.Cause(l.ctx)
}

// greet proves the token and asks for the transfer.
func (l *lane) greet() error {
	s := l.s
	l.heard.Store(int64(l.now()))
	if !slices.Contains(l.hello.Protocols, Protocol) {
		return fmt.Errorf("%w: the receiver speaks %q", ErrVersion, l.hello.Protocols)
	}
	answer := helloS{Protocol: Protocol}
	if l.hello.Auth {
		answer.Proof = proof(s.opts.Token, l.hello.Nonce)
	}
	if err := l.wire.text(l.ctx, &answer); err != nil {
		return err
	}
	for i := range l.pings {
		l.pings[i] = l.now()
		if err := l.wire.text(l.ctx, &ping{ID: uint32(i + 1)}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token == "" && l.extra {
		return errNotYet
	} else if token != "" {
		return l.wire.text(l.ctx, &join{ID: s.id, Token: token})
	}
	return l.offer()
}

// offer sends the manifest, in as many messages as it takes.
func (l *lane) offer() error {
	s := l.s
	list := s.layout.entries
	var first message = &offer{
		ID: s.id, Size: s.layout.size, BlockSize: s.opts.BlockSize, Restart: s.opts.Restart,
		Sender: s.name, Attempt: s.offers.Add(1), Count: len(list),
	}
	for first != nil || len(list) > 0 {
		var batch []entry
		for size := 0; len(list) > 0 && size < maxControl; list = list[1:] {
			size += len(list[0].Path) + 100
			batch = append(batch, fromEntry(list[0]))
		}
		var m message = &entries{Entries: batch}
		if o, ok := first.(*offer); ok {
			o.Entries, m, first = batch, o, nil
		}
		if err := l.wire.text(l.ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// watch gives the lane up when the receiver is silent or nothing moves, and
// shows life to it.
func (l *lane) watch() {
	tick := time.NewTicker(l.s.opts.StallTimeout / 8)
	defer tick.Stop()
	moved, since := int64(-1), l.now()
	stuck := max(stuckTimeout, 5*l.s.opts.StallTimeout)
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		now := l.now()
		if silent := now - time.Duration(l.heard.Load()); silent > l.s.opts.StallTimeout {
			l.cancel(fmt.Errorf("%w: nothing heard for %v", ErrIdle, silent.Round(time.Millisecond)))
			return
		}
		if at := l.arrived.Load(); at != moved || at >= l.sent.Load() {
			moved, since = at, now
		} else if now-since > stuck {
			l.cancel(fmt.Errorf("%w: nothing arrives for %v", ErrIdle, (now - since).Round(time.Millisecond)))
			return
		}
		if now-time.Duration(l.spoke.Load()) > pingEvery {
			l.spoke.Store(int64(now))
			_ = l.wire.ch.SendText(encode(&ping{})) // a full queue is a sign of life too
		}
	}
}

// stuckTimeout is how long nothing may arrive of what was sent, although the
// receiver speaks. It leaves the time for a chunk at the slowest rate limit.
const stuckTimeout = 10 * time.Second

// pingEvery is how often a sender that has nothing to send shows life.
const pingEvery = 5 * time.Second

// receive handles what the receiver says until the lane ends.
func (l *lane) receive(started func()) error {
	for {
		m, err := l.wire.ch.Receive(l.ctx)
		if err == io.EOF {
			return fmt.Errorf("%w: closed by the receiver", transport.ErrClosed)
		} else if err != nil {
			return err
		}
		l.heard.Store(int64(l.now()))
		if !m.Text {
			return protocolError("chunk from the receiver")
		}
		msg, err := decode(m.Data, fromReceiver)
		if err != nil {
			return err
		}
		if err := l.handle(msg, started); err != nil {
			return err
		}
	}
}

func (l *lane) handle(msg message, started func()) error {
	s := l.s
	switch m := msg.(type) {
	case *accept:
		if l.ready || l.accepted.Token != "" {
			return protocolError("accept repeated")
		}
		if m.Token == "" {
			return protocolError("accept without a token")
		}
		l.accepted = *m
		return l.start(m.More, started)
	case *held:
		if l.ready || !l.accepted.More {
			return protocolError("held without accept")
		}
		l.accepted.Have = append(l.accepted.Have, m.Have...)
		l.accepted.Check = append(l.accepted.Check, m.Check...)
		return l.start(m.More, started)
	case *ack:
		if !l.ready {
			return protocolError("ack before accept")
		}
		l.arrived.Store(m.Received)
		s.acknowledge(l, m)
	case *resend:
		s.event(Event{Kind: EventResent, Route: l.route, Err: fmt.Errorf("%w: blocks %v", ErrCorrupt, m.Blocks)})
		if err := s.repeat(l, m); err != nil {
			if errors.Is(err, ErrCorrupt) {
				s.fail(err)
			}
			return err
		}
	case *renamed:
		if len(l.names)+len(m.Names) > len(s.layout.entries) {
			return protocolError("more names than files")
		}
		for _, n := range m.Names {
			l.names = append(l.names, Committed{Path: n[0], Name: n[1]})
		}
	case *complete:
		s.mu.Lock()
		s.renamed = l.names
		s.mu.Unlock()
		return s.finish(m)
	case *cancel:
		s.fail(&CancelError{Reason: clip(m.Reason), ByPeer: true})
		return errOver
	case *failure:
		return &PeerError{Code: m.Code, Message: clip(m.Message), Path: clip(m.Path)}
	case *ping:
		if m.ID != 0 {
			return l.wire.text(l.ctx, &pong{ID: m.ID})
		}
	case *pong:
		if i := int(m.ID) - 1; i >= 0 && i < len(l.pings) {
			s.mu.Lock()
			l.window.roundTrip(l.now() - l.pings[i])
			s.mu.Unlock()
		}
	case *helloR:
		return protocolError("hello repeated")
	}
	return nil
}

// start lets blocks flow once the receiver has said all that it holds.
func (l *lane) start(more bool, started func()) error {
	if len(l.accepted.Have)+len(l.accepted.Check) > 1<<20 {
		return protocolError("more than 2^20 ranges held")
	}
	l.accepted.More = more
	if more {
		return nil
	}
	a, s := &l.accepted, l.s
	s.mu.Lock()
	fresh := s.token != a.Token
	s.token = a.Token
	s.mu.Unlock()
	if err := s.adopt(a.Have, a.Check, fresh); err != nil {
		return err
	}
	s.mu.Lock()
	l.ready, l.credit = true, a.Credit
	l.window.size = max(minWindow/int64(s.opts.Streams), 2*int64(s.opts.BlockSize))
	s.lanes[l] = true
	s.wake.Broadcast()
	s.mu.Unlock()
	started()
	return nil
}
