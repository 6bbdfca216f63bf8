package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// ErrSpent is what the Open of a [Route] answers that will never open another
// channel. When all routes are spent, Send gives up without waiting.
var ErrSpent = errors.New("pipeline: route has no further channel")

// How long to wait between attempts that led to nothing, give or take a
// quarter so that many senders do not come back at once.
const (
	backoffFirst = 100 * time.Millisecond
	backoffLast  = 5 * time.Second
)

// connect keeps the transfer connected until it is over. It returns an error
// when that will not work, and nil when the context is done.
func (s *sending) connect(routes []Route) error {
	var extras sync.WaitGroup
	defer extras.Wait()
	var startExtras sync.Once
	order := slices.Clone(routes)
	backoff, hopeful := backoffFirst, time.Now()
	var lastErr error
	for acked := int64(-1); s.ctx.Err() == nil; {
		l, err := s.race(order)
		if err == nil {
			began := false
			err = s.ride(l, func() {
				began = true
				startExtras.Do(func() { s.addLanes(&extras, routes, l.hello.Limits.Channels) })
			})
			if began && !storage(err) {
				hopeful = time.Now()
			}
			if _, told := errors.AsType[*PeerError](err); !told { // the route is to blame
				i := slices.IndexFunc(order, func(r Route) bool { return r.Name == l.route })
				tried := order[i]
				order = append(slices.Delete(order, i, i+1), tried)
			}
		}
		if s.ctx.Err() != nil {
			break
		}
		if s.hopeless(err) {
			s.fail(err)
			return err
		}
		if err != nil && !errors.Is(err, ErrSpent) && !errors.Is(err, ErrUnknownTransfer) || lastErr == nil {
			lastErr = err
		}
		p := s.progress()
		if p.Acknowledged != acked || len(p.Routes) > 0 {
			acked, backoff, hopeful = p.Acknowledged, backoffFirst, time.Now()
			if l != nil {
				continue // a lane that got something done: try the next at once
			}
		}
		if errors.Is(err, ErrSpent) && len(p.Routes) == 0 || time.Since(hopeful) >= s.opts.RetryFor {
			err := fmt.Errorf("%w: %w", ErrUnreachable, lastErr)
			s.fail(err)
			return err
		}
		if errors.Is(err, ErrUnknownTransfer) {
			s.mu.Lock()
			s.token = "" // offer it anew, at once
			s.mu.Unlock()
			continue
		}
		wait := time.Duration(float64(backoff) * (0.75 + rand.Float64()/2))
		s.event(Event{Kind: EventWaiting, Err: err, Wait: wait})
		_ = sleep(s.ctx, wait) // the loop looks at the context
		backoff = min(2*backoff, backoffLast)
	}
	return nil
}

// hopeless reports whether an error rules out that any further attempt
// succeeds. A stream cannot be sent by another process when the receiver's
// storage takes more again, so it waits for that here.
func (s *sending) hopeless(err error) bool {
	if e, ok := errors.AsType[*PeerError](err); ok {
		return !temporary(e) && (s.layout.size >= 0 || !storage(e))
	}
	return errors.Is(err, ErrProtocol) || errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt)
}

var errNotYet = errors.New("pipeline: no transfer to join yet")

// addLanes opens further lanes, up to Streams, and replaces those that die.
func (s *sending) addLanes(group *sync.WaitGroup, routes []Route, most int) {
	n := s.opts.Streams
	if most > 0 {
		n = min(n, most)
	}
	for range n - 1 {
		group.Go(func() {
			avoid := ""
			for backoff := backoffFirst; s.ctx.Err() == nil; backoff = min(2*backoff, backoffLast) {
				r, ok := s.pick(routes, avoid)
				if !ok {
					_ = sleep(s.ctx, backoff)
					continue
				}
				avoid = r.Name
				l, err := s.open(s.ctx, r)
				if err == nil {
					l.extra = true
					err = s.ride(l, func() { backoff, avoid = backoffFirst, "" })
				}
				if s.ctx.Err() != nil || errors.Is(err, ErrSpent) {
					return
				}
				if s.hopeless(err) && !errors.Is(err, ErrVersion) {
					s.fail(err)
					return
				}
				_ = sleep(s.ctx, backoff)
			}
		})
	}
}

// pick chooses the route of a further lane: that of a live one, or with Bond
// the one that has the fewest, but not the one to avoid if there is another.
func (s *sending) pick(routes []Route, avoid string) (best Route, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := make(map[string]int)
	for l := range s.lanes {
		live[l.route]++
	}
	for _, r := range routes {
		switch {
		case !s.opts.Bond && live[r.Name] > 0:
			return r, true
		case !s.opts.Bond, len(routes) > 1 && r.Name == avoid:
		case !ok || live[r.Name] < live[best.Name]:
			best, ok = r, true
		}
	}
	return best, ok
}

// ride runs a lane to its end and takes leave of the receiver.
func (s *sending) ride(l *lane, started func()) error {
	began := false
	err := l.serve(func() {
		began = true
		s.event(Event{Kind: EventConnected, Route: l.route})
		started()
	})
	l.quit()
	l.leave()
	if s.ctx.Err() == nil && !s.hopeless(err) { // Send returns what ends it
		kind := EventRefused
		if began {
			kind = EventLost
		}
		s.event(Event{Kind: kind, Route: l.route, Err: err})
	}
	return err
}

// race opens the routes in order, each a little after the one before it or as
// soon as that has failed, and returns the first on which the receiver speaks
// (RFC 8305, section 5). The error is the last one, or one that rules out
// success.
func (s *sending) race(order []Route) (*lane, error) {
	type outcome struct {
		l   *lane
		err error
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	results := make(chan outcome)
	launch := func(r Route) {
		go func() {
			l, err := s.open(ctx, r)
			select {
			case results <- outcome{l, err}:
			case <-ctx.Done():
				if err == nil {
					end(l.wire.ch)
				}
			}
		}()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	for running := 0; ; {
		select {
		case <-timer.C:
			if len(order) > 0 {
				launch(order[0])
				order, running = order[1:], running+1
				timer.Reset(s.opts.Stagger)
			}
		case o := <-results:
			running--
			if o.err == nil {
				return o.l, nil
			}
			if last == nil || !errors.Is(o.err, ErrSpent) {
				last = o.err
			}
			if running == 0 && len(order) == 0 || s.hopeless(o.err) {
				return nil, last
			}
			timer.Reset(0)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// open opens a channel and waits for the receiver's hello.
func (s *sending) open(ctx context.Context, r Route) (l *lane, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.OpenTimeout)
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() == nil && !s.hopeless(err) {
			s.event(Event{Kind: EventRefused, Route: r.Name, Err: err})
		}
	}()
	ch, err := r.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: route %s: %w", r.Name, err)
	}
	defer func() {
		if err != nil {
			end(ch)
		}
	}()
	l = &lane{s: s, route: r.Name}
	if l.wire, err = newWire(ch, s.opts.ChunkSize); err != nil {
		return nil, err
	}
	for {
		m, err := ch.Receive(ctx)
		if err != nil {
			return nil, fmt.Errorf("pipeline: route %s: waiting for the receiver's hello: %w", r.Name, err)
		}
		if !m.Text {
			return nil, protocolError("chunk before hello")
		}
		msg, err := decode(m.Data, fromReceiver)
		if err != nil {
			return nil, err
		}
		switch m := msg.(type) {
		case *helloR:
			l.hello = *m
			l.ctx, l.cancel = context.WithCancelCause(s.ctx)
			return l, nil
		case *failure:
			return nil, &PeerError{Code: m.Code, Message: clip(m.Message), Path: clip(m.Path)}
		case *ping, nil:
		default:
			return nil, protocolError("something else before hello")
		}
	}
}

// leave ends the lane's channel: with a last word if the peer has to hear one,
// at once if it knows that the transfer is over, or the channel is not worth
// waiting for.
func (l *lane) leave() {
	cause := context.Cause(l.s.ctx)
	if cause == nil {
		end(l.wire.ch)
		return
	}
	_, told := errors.AsType[*PeerError](cause)
	c, canceled := errors.AsType[*CancelError](cause)
	switch {
	case cause == errOver, told, canceled && c.ByPeer, errors.Is(cause, ErrUnreachable):
		end(l.wire.ch)
		return
	case CodeOf(cause) != "":
		_ = l.wire.ch.SendText(encode(report(cause))) // a closed channel says it for us
	case cause == context.Cause(l.s.parent):
		_ = l.wire.ch.SendText(encode(&cancel{Reason: clip(cause.Error()), Discard: errors.Is(cause, ErrDiscard)}))
	default: // may name files of this machine
		_ = l.wire.ch.SendText(encode(&cancel{Reason: "the sender failed"}))
	}
	closeWithin(l.wire.ch, leaveTimeout)
}

// leaveTimeout bounds how long the last word may take to be delivered.
const leaveTimeout = 2 * time.Second

// closeWithin closes ch and gives its queue some time to reach the peer.
func closeWithin(ch transport.Channel, d time.Duration) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = ch.Close() // nobody is left to be told
	}()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-closed:
	case <-t.C:
		_ = transport.Abort(ch) // if it cannot, Close ends in its own time
	}
}

// end drops a channel without waiting for anything.
func end(ch transport.Channel) {
	if transport.Abort(ch) != nil {
		go ch.Close()
	}
}
