package memchan

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/transport"
)

// Channel is one end of a link. All methods may be called by any number of
// goroutines at once, except that one goroutine at a time calls Receive.
type Channel struct {
	props transport.Properties
	opts  *Options
	mu    *sync.Mutex // of the link: guards both ends and both lanes
	out   *lane
	in    *lane
	peer  *Channel

	current []byte // lent to the reader until its next Receive

	closing bool  // Close or Abort was called here
	closed  bool  // nothing moves any more
	dead    bool  // ended without a graceful close
	cause   error // why, if dead

	closeDone chan struct{} // closed when the first Close has finished
	closeErr  error
}

var (
	_ transport.Channel     = (*Channel)(nil)
	_ transport.Drainer     = (*Channel)(nil)
	_ transport.Describer   = (*Channel)(nil)
	_ transport.WriteCloser = (*Channel)(nil)
	_ transport.Aborter     = (*Channel)(nil)
)

// Pair returns the two ends of a link with the default [Options], open. It
// never fails; its signature is that of every adapter's Pair.
func Pair(context.Context) (a, b transport.Channel, err error) {
	a, b = New(nil)
	return a, b, nil
}

// New returns the two ends of a link, open. opts may be nil.
func New(opts *Options) (a, b *Channel) {
	o := opts.withDefaults()
	mu := new(sync.Mutex)
	ab, ba := newLane(mu, &o, 0), newLane(mu, &o, 1)
	props := transport.Properties{
		Label:          o.Label,
		MaxMessageSize: o.MaxMessageSize,
		MaxBuffered:    o.MaxBuffered,
		ReceiveBuffer:  o.ReceiveBuffer,
		Ordered:        !o.Unordered,
		Reliable:       o.Loss <= 0,
		HalfClose:      true,
		Buffered:       transport.ReleaseReceived,
		DeadPeer:       o.DeadPeer,
	}
	a = &Channel{props: props, opts: &o, mu: mu, out: ab, in: ba}
	b = &Channel{props: props, opts: &o, mu: mu, out: ba, in: ab, peer: a}
	a.peer = b
	return a, b
}

// Properties returns what the link was made with.
func (c *Channel) Properties() transport.Properties { return c.props }

// ReadyState returns the state. A channel is closing from Close, CloseWrite or
// the arrival of the peer's end, and closed once Close has returned, the peer's
// end has been received, or the channel died.
func (c *Channel) ReadyState() transport.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return transport.StateClosed
	case !c.canSend():
		return transport.StateClosing
	}
	return transport.StateOpen
}

// canSend reports whether no end has been said here nor arrived.
func (c *Channel) canSend() bool {
	return !c.closing && !c.dead && c.out.ending == endNone && c.in.arrived != endAll
}

// BufferedAmount returns the payload bytes that have not entered the peer's
// inbox.
func (c *Channel) BufferedAmount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.queued
}

// Send queues a copy of msg as a binary message. Errors:
// [transport.ErrClosed], [transport.ErrTooLarge], [transport.ErrBufferFull].
func (c *Channel) Send(msg []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := c.reserve(len(msg))
	if err != nil {
		return err
	}
	copy(data, msg)
	c.out.accept(message{data: data})
	return nil
}

// SendText queues msg as a text message. Errors as Send, and
// [transport.ErrInvalidText].
func (c *Channel) SendText(msg string) error {
	if !utf8.ValidString(msg) {
		return transport.ErrInvalidText
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := c.reserve(len(msg))
	if err != nil {
		return err
	}
	copy(data, msg)
	c.out.accept(message{data: data, text: true})
	return nil
}

// reserve returns a buffer for a message of n bytes that may be queued.
func (c *Channel) reserve(n int) ([]byte, error) {
	switch {
	case !c.canSend():
		return nil, c.closedErr()
	case n > c.props.MaxMessageSize:
		return nil, &transport.SizeError{Size: n, Limit: c.props.MaxMessageSize}
	case !c.out.hasRoom(n):
		return nil, transport.ErrBufferFull
	}
	return c.out.pool.get(n), nil
}

func (c *Channel) closedErr() error { return transport.Closed(c.cause) }

// Receive returns the next message; see [transport.Channel]. A context that is
// done when Receive is called ends it even if a message is waiting.
func (c *Channel) Receive(ctx context.Context) (transport.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return transport.Message{}, err
		}
		m, ok, err := c.tryReceive()
		if ok || err != nil {
			return m, err
		}
		select {
		case <-ctx.Done():
		case <-c.in.ready:
		}
	}
}

func (c *Channel) tryReceive() (m transport.Message, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.pool.put(c.current)
	c.current = nil
	switch {
	case c.closing:
		return m, false, c.closedErr()
	case c.in.inbox.n > 0:
		next := c.in.take()
		c.current = next.data
		return transport.Message{Data: next.data, Text: next.text}, true, nil
	case c.dead:
		return m, false, transport.Aborted(c.cause)
	case c.in.arrived != endNone:
		c.closed = c.in.arrived == endAll
		return m, false, io.EOF
	}
	return m, false, nil
}

// Drain waits until BufferedAmount is at most low; see [transport.Drain].
func (c *Channel) Drain(ctx context.Context, low int) error {
	w := &waiter{low: low, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	switch {
	case !c.canSend():
		defer c.mu.Unlock()
		return c.closedErr()
	case c.out.queued <= low:
		c.mu.Unlock()
		return nil
	}
	c.out.waiters = append(c.out.waiters, w)
	c.mu.Unlock()

	select {
	case <-w.wake:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.canSend() {
			return c.closedErr()
		}
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.out.waiters = slices.DeleteFunc(c.out.waiters, func(other *waiter) bool { return other == w })
		return ctx.Err()
	}
}

// CloseWrite ends the sending direction behind what is queued. It does not
// wait for the peer.
func (c *Channel) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.canSend() {
		return c.closedErr()
	}
	c.out.finish(endWrite)
	c.out.wakeDrain(true)
	return nil
}

// Close ends the channel behind what is queued and waits until the peer's
// inbox has taken it. It returns an error matching [transport.ErrUndelivered]
// when the peer had closed, was gone, or took nothing for
// Options.CloseTimeout.
func (c *Channel) Close() error {
	c.mu.Lock()
	if c.closeDone != nil {
		c.mu.Unlock()
		<-c.closeDone
		return c.closeErr
	}
	c.closeDone = make(chan struct{})
	defer close(c.closeDone)
	if !c.closing {
		c.closing = true
		c.in.abandon()
		c.out.finish(endAll)
		c.wakeAll()
	}
	c.mu.Unlock()
	c.closeErr = c.awaitDelivery()
	return c.closeErr
}

// awaitDelivery waits for the peer to be told of the end.
func (c *Channel) awaitDelivery() error {
	patience := time.NewTimer(c.opts.CloseTimeout)
	defer patience.Stop()
	for {
		c.mu.Lock()
		if c.dead || c.out.arrived == endAll {
			defer c.mu.Unlock()
			c.closed = true
			if c.out.lost {
				return transport.ErrUndelivered
			}
			return nil
		}
		c.mu.Unlock()
		select {
		case <-c.out.moved:
			patience.Reset(c.opts.CloseTimeout)
		case <-patience.C:
			c.mu.Lock()
			c.out.lost = true
			c.abort(transport.ErrUndelivered)
			c.mu.Unlock()
		}
	}
}

// Abort ends the channel at once; see [transport.Abort].
func (c *Channel) Abort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.abort(transport.ErrAborted)
	}
	return nil
}

// abort ends this end now and the peer's when the word has travelled.
func (c *Channel) abort(cause error) {
	c.closing = true
	c.in.abandon()
	c.die(cause)
	if c.out.silent {
		return
	}
	if c.opts.Latency <= 0 {
		c.peer.die(nil)
		return
	}
	time.AfterFunc(c.opts.Latency, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.out.silent {
			c.peer.die(nil)
		}
	})
}

// die ends this end without grace. What arrived can still be received.
func (c *Channel) die(cause error) {
	if c.closed || c.dead {
		return
	}
	c.dead, c.closed, c.cause = true, true, cause
	c.out.drop()
	c.wakeAll()
}

func (c *Channel) wakeAll() {
	signal(c.in.ready)
	signal(c.out.moved)
	c.out.wakeDrain(true)
}

// Cut breaks the link in silence: from now on nothing arrives at either end
// and neither is told. With Options.DeadPeer both ends notice after that time
// and die with [transport.ErrPeerGone].
func (c *Channel) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.silent {
		return
	}
	c.out.silent, c.in.silent = true, true
	if c.opts.DeadPeer <= 0 {
		return
	}
	time.AfterFunc(c.opts.DeadPeer, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.die(transport.ErrPeerGone)
		c.peer.die(transport.ErrPeerGone)
	})
}
