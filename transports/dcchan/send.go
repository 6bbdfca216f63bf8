package dcchan

import (
	"context"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
)

// messageCost is what pion keeps for a message beside its payload, in bytes,
// at the least: it bounds how many small messages fit into MaxBuffered.
const messageCost = 256

// admit says whether a message of this size may be sent now. The caller holds
// the lock.
func (c *Channel) admit(size int) error {
	if c.sealed != nil {
		return c.sealed
	}
	switch c.dc.ReadyState() {
	case webrtc.DataChannelStateOpen:
	case webrtc.DataChannelStateConnecting, webrtc.DataChannelStateUnknown:
		return transport.ErrNotOpen
	default:
		return transport.ErrClosed
	}
	if limit := c.maxMessageSize(); size > limit {
		return &transport.SizeError{Size: size, Limit: limit}
	}
	if c.sent.written == 0 {
		c.sent.add(0, int(c.dc.BufferedAmount()))
	}
	buffered := c.amount()
	c.admitted = buffered
	if buffered > 0 && buffered+size > c.opts.MaxBuffered || c.sent.n >= max(1024, c.opts.MaxBuffered/messageCost) {
		return transport.ErrBufferFull
	}
	return nil
}

// book counts a message that pion has taken. The caller holds the lock.
func (c *Channel) book(size int, err error) error {
	if err != nil {
		return transport.Closed(err)
	}
	c.sent.add(size, max(0, 1-size)) // pion sends an empty message as one byte
	c.remember(c.admitted + size)
	return nil
}

// amount is the payload buffered. The caller holds the lock.
func (c *Channel) amount() int {
	buffered := 0
	if !isClosed(c.over) {
		buffered = c.outstanding()
	}
	c.remember(buffered)
	return buffered
}

// outstanding is the payload that the peer has not acknowledged, also when
// nobody waits for that any more. The caller holds the lock.
func (c *Channel) outstanding() int {
	if c.sent.written == 0 {
		return 0
	}
	return c.sent.payload(c.dc.BufferedAmount())
}

// BufferedAmount implements transport.MessageChannel: the payload bytes that
// the peer's SCTP has not acknowledged yet.
func (c *Channel) BufferedAmount() int {
	if time.Since(began).Nanoseconds()-c.recentAt.Load() < int64(recentFor) {
		return int(c.recent.Load())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.amount()
}

// remember keeps what BufferedAmount answers for a moment. The caller holds the
// lock.
func (c *Channel) remember(buffered int) {
	c.recent.Store(int64(buffered))
	c.recentAt.Store(time.Since(began).Nanoseconds())
}

// recentFor is how long BufferedAmount repeats itself. It would otherwise take
// the locks under which pion reads acknowledgements, and somebody who polls in a
// tight loop would starve the connection, so that packets are dropped.
const recentFor = 100 * time.Microsecond

// began is the zero of recentAt.
var began = time.Now()

// waiter is one goroutine in Drain.
type waiter struct {
	low  int
	done chan error // capacity 1
}

// Drain implements transport.Drainer.
func (c *Channel) Drain(ctx context.Context, low int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	low = max(low, 0)
	c.mu.Lock()
	if err := c.drainable(); err != nil || c.amount() <= low {
		c.mu.Unlock()
		return err
	}
	w := &waiter{low: low, done: make(chan error, 1)}
	c.waiters = append(c.waiters, w)
	c.wakeDrained()
	c.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waiters = slices.DeleteFunc(c.waiters, func(x *waiter) bool { return x == w })
		return ctx.Err()
	}
}

func (c *Channel) drainable() error {
	if c.sealed != nil {
		return c.sealed
	}
	switch c.ReadyState() {
	case transport.StateOpen:
		return nil
	case transport.StateConnecting:
		return transport.ErrNotOpen
	default:
		return transport.ErrClosed
	}
}

// low is pion's callback.
func (c *Channel) low() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeDrained()
}

// wakeDrained wakes the waiters whose level is reached, and has pion call back
// at the next one. pion calls on the way down through its threshold only, so
// the level is looked at again once the threshold stands; look does so from
// time to time, too. The caller holds the lock.
func (c *Channel) wakeDrained() {
	for {
		buffered, highest := c.amount(), -1
		c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
			if c.sealed == nil && buffered > w.low {
				highest = max(highest, w.low)
				return false
			}
			w.done <- c.sealed
			return true
		})
		if highest < 0 {
			return
		}
		c.dc.SetBufferedAmountLowThreshold(uint64(highest) + c.sent.overhead)
		if c.amount() > highest {
			return
		}
	}
}

// seal makes Send and Drain answer err from now on, in the state to.
func (c *Channel) seal(err error, to transport.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed == nil {
		c.sealed = err
	}
	c.advance(to) // before anybody is woken
	c.wakeDrained()
}
