package dcchan

import (
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// closePoll is how often Close looks whether the peer has everything; pion
// calls nobody back once a channel is closing.
const closePoll = 5 * time.Millisecond

// How long a connection of Dial outlives its last channel, unless the peer ends
// it first. Closing it aborts whatever the peer still has to hear: the one who
// closed first leaves time for the last, delayed, acknowledgement, the other
// for its own half of the close to be sent again.
const (
	activeLinger  = 250 * time.Millisecond
	passiveLinger = 1500 * time.Millisecond
)

// Close implements transport.Channel. It returns nil when the peer has
// acknowledged everything and closed its end of the stream in answer, and an
// error matching transport.ErrUndelivered after Options.CloseTimeout without
// progress or when the connection dies. On the channel of Dial it then ends the
// connection, too, which takes a quarter of a second; if the peer closed first,
// the connection ends by itself within passiveLinger.
func (c *Channel) Close() error {
	c.closing.Do(func() {
		if opened := c.begin(); opened {
			c.closeErr = c.finish()
		}
		c.advance(transport.StateClosed)
		c.release(activeLinger)
	})
	return c.closeErr
}

// begin refuses further messages and has pion close the stream behind those it
// has taken. What the peer sends is read on and dropped, so that its end of the
// stream comes through. It reports whether the channel had opened.
func (c *Channel) begin() (opened bool) {
	opened = c.ReadyState() > transport.StateConnecting
	c.begun.Store(true)
	c.in.Abandon(transport.ErrClosed)
	c.seal(transport.ErrClosed, transport.StateClosing)
	c.dc.Close() // fails only if the association has ended, which finish finds out
	return opened
}

// finish waits for the end of a Close.
func (c *Channel) finish() error {
	tick := time.NewTicker(closePoll)
	defer tick.Stop()
	left, since := c.undelivered(), time.Now()
	for {
		if done, err := c.delivered(); done {
			return err
		}
		now := <-tick.C
		if still := c.undelivered(); still != left {
			left, since = still, now
		}
		if now.Sub(since) > c.opts.CloseTimeout {
			c.die(fmt.Errorf("dcchan: no progress for %v: %w", c.opts.CloseTimeout, transport.ErrPeerGone))
		}
	}
}

// delivered says whether the outcome of a Close is known, and what it is. The
// peer closes its end after it has read ours to the end, or because it wanted
// to close, too: so the acknowledgements count as well.
func (c *Channel) delivered() (done bool, err error) {
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	switch {
	case cause != nil:
		return true, fmt.Errorf("%w: %w", transport.ErrUndelivered, cause)
	case !isClosed(c.readEnd):
		return false, nil
	case c.undelivered() == 0:
		return true, nil
	case !c.associated():
		return true, fmt.Errorf("%w: %w", transport.ErrUndelivered, errAssociation)
	default:
		return false, nil
	}
}

func (c *Channel) undelivered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outstanding()
}

// Abort implements transport.Aborter. It returns at once. A channel that has a
// connection of Dial or of a listener to itself aborts it, and the peer learns
// transport.ErrAborted. On a connection with other channels, or of the
// application's, there is no such word: pion goes on sending what it has taken,
// and then the peer sees a graceful end.
func (c *Channel) Abort() error {
	c.begun.Store(true)
	c.in.Abandon(transport.ErrClosed)
	c.seal(transport.ErrClosed, transport.StateClosing)
	alone := c.conn != nil && c.conn.onlyHas(c)
	c.die(transport.ErrAborted)
	if alone {
		c.conn.kill()
	} else {
		c.dc.Close() // fails only if the association has ended
	}
	c.release(0)
	return nil
}

// leave tells the connection that the channel has ended.
func (c *Channel) leave(linger time.Duration) {
	if c.conn != nil {
		c.left.Do(func() { c.conn.leave(c, linger) })
	}
}

// release ends a Close or Abort: everything of the channel's is gone then. Only
// where the peer has closed first, the connection is left to linger.
func (c *Channel) release(linger time.Duration) {
	c.leave(linger)
	if c.conn != nil && !c.peerEnded.Load() {
		c.conn.awaitRelease()
	}
	c.mu.Lock()
	after := c.onRelease
	c.onRelease = nil
	c.mu.Unlock()
	if after != nil {
		after()
	}
}
