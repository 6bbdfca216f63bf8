package pump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/transport"
)

// Channel is a transport.Channel over a Carrier. Adapters embed it.
type Channel struct {
	carrier Carrier
	cfg     Config
	out     outbox
	in      *Inbox

	state    atomic.Int32
	running  atomic.Int32  // reader and writer still at work
	reads    atomic.Int64  // odd while the reader is in ReadMessage
	finished chan struct{} // both have ended and the carrier is closed

	closing  sync.Once // a local Close has begun
	released sync.Once // the carrier is being closed

	mu   sync.Mutex // guards the fields below
	died error      // the cause, if the channel did not end gracefully
	lost int        // messages accepted and dropped because the peer closed first
}

var (
	_ transport.Channel     = (*Channel)(nil)
	_ transport.Drainer     = (*Channel)(nil)
	_ transport.Describer   = (*Channel)(nil)
	_ transport.WriteCloser = (*Channel)(nil)
	_ transport.Aborter     = (*Channel)(nil)
)

// readGrace is how long the reader may wait for the carrier after a failed
// write, to find the peer's last words.
const readGrace = 2 * time.Second

// New starts a channel over c, which is connected. The channel owns c and
// closes it, also when the peer ends the channel and Close is never called.
func New(c Carrier, cfg Config) *Channel {
	cfg = cfg.withDefaults()
	ch := &Channel{carrier: c, cfg: cfg, in: NewInbox(), finished: make(chan struct{})}
	ch.out.init(cfg)
	ch.state.Store(int32(transport.StateOpen))
	ch.running.Store(2)
	go ch.read()
	go ch.write()
	return ch
}

// ReadyState implements transport.MessageChannel.
func (c *Channel) ReadyState() transport.State { return transport.State(c.state.Load()) }

// BufferedAmount implements transport.MessageChannel: the payload bytes in the
// queue and in the write under way.
func (c *Channel) BufferedAmount() int { return c.out.amount() }

// Properties implements transport.Describer.
func (c *Channel) Properties() transport.Properties { return c.cfg.Properties }

// Drain implements transport.Drainer.
func (c *Channel) Drain(ctx context.Context, low int) error { return c.out.drain(ctx, low) }

// Send implements transport.MessageChannel.
func (c *Channel) Send(msg []byte) error {
	if limit := c.cfg.Properties.MaxMessageSize; len(msg) > limit {
		return &transport.SizeError{Size: len(msg), Limit: limit}
	}
	return push(&c.out, msg, false)
}

// SendText implements transport.Channel.
func (c *Channel) SendText(msg string) error {
	if limit := c.cfg.Properties.MaxMessageSize; len(msg) > limit {
		return &transport.SizeError{Size: len(msg), Limit: limit}
	}
	if !utf8.ValidString(msg) {
		return transport.ErrInvalidText
	}
	return push(&c.out, msg, true)
}

// Receive implements transport.Channel.
func (c *Channel) Receive(ctx context.Context) (transport.Message, error) { return c.in.Receive(ctx) }

// CloseWrite implements transport.WriteCloser for carriers that can.
func (c *Channel) CloseWrite() error {
	if _, ok := c.carrier.(HalfCloser); !ok {
		return transport.ErrUnsupported
	}
	return c.out.halfClose()
}

// Close implements transport.Channel. It waits until the peer has answered the
// end mark, at most Config.CloseTimeout without progress.
func (c *Channel) Close() error {
	c.closing.Do(func() {
		c.advance(transport.StateClosing)
		c.in.Abandon(transport.ErrClosed)
		c.out.finish(transport.ErrClosed, false)
	})
	timer := time.NewTimer(c.cfg.CloseTimeout)
	defer timer.Stop()
	for before := c.progress(); ; {
		select {
		case <-c.finished:
			return c.closeError()
		case <-timer.C:
			now := c.progress()
			if now == before {
				c.die(fmt.Errorf("no progress for %v: %w", c.cfg.CloseTimeout, transport.ErrPeerGone))
			}
			before = now
			timer.Reset(c.cfg.CloseTimeout)
		}
	}
}

// progress is a value that changes as the peer takes messages.
func (c *Channel) progress() (p struct{ written, taken int }) {
	p.written = c.out.progress()
	if carrier, ok := c.carrier.(Progresser); ok {
		p.taken = carrier.Progress()
	}
	return p
}

func (c *Channel) closeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.died != nil:
		return fmt.Errorf("%w: %w", transport.ErrUndelivered, c.died)
	case c.lost > 0:
		return fmt.Errorf("%w: the peer closed before %d of them", transport.ErrUndelivered, c.lost)
	default:
		return nil
	}
}

// Abort implements transport.Aborter.
func (c *Channel) Abort() error {
	c.in.Abandon(transport.ErrClosed)
	c.out.seal(transport.ErrClosed)
	c.die(transport.ErrAborted)
	<-c.finished
	return nil
}

// advance moves the state forward, never back.
func (c *Channel) advance(to transport.State) {
	for {
		now := c.state.Load()
		if now >= int32(to) || c.state.CompareAndSwap(now, int32(to)) {
			return
		}
	}
}

func (c *Channel) read() {
	defer c.ended()
	defer c.in.retire()
	for {
		buf := c.in.buffer()
		c.reads.Add(1)
		msg, text, err := c.carrier.ReadMessage(buf)
		c.reads.Add(1)
		switch {
		case err == nil:
			c.in.push(msg, text)
		case errors.Is(err, ErrHalfClosed):
			c.in.Finish(io.EOF)
		case err == io.EOF:
			c.advance(transport.StateClosing)
			c.peerEnded()
			return
		default:
			c.die(err)
			return
		}
	}
}

// peerEnded answers the peer's end mark. What we still had to say has lost its
// reader, unless we were closing too and the peer is waiting for our mark.
func (c *Channel) peerEnded() {
	lost := c.out.finish(transport.ErrClosed, true)
	c.mu.Lock()
	c.lost += lost
	c.mu.Unlock()
	c.in.Finish(io.EOF)
}

func (c *Channel) write() {
	defer c.ended()
	for {
		e, what := c.out.next()
		var err error
		unsaid := 0
		switch what {
		case stepMessage:
			unsaid = 1
			err = c.carrier.WriteMessage(e.buf, e.text)
			c.out.written(e)
		case stepHalfEnd:
			err = c.carrier.(HalfCloser).WriteHalfEnd()
		case stepEnd:
			if err = c.carrier.WriteEnd(); err == nil {
				return
			}
		case stepDead:
			return
		}
		switch {
		case errors.Is(err, transport.ErrPeerGone): // without last words
			c.die(err)
			return
		case err != nil:
			c.writeFailed(err, unsaid)
			return
		}
	}
}

// writeFailed leaves the reader time to find out why: a peer that closed
// gracefully leaves its end mark behind, after everything it sent.
func (c *Channel) writeFailed(err error, unsaid int) {
	c.advance(transport.StateClosing)
	lost := unsaid + c.out.kill(transport.Closed(transport.Aborted(err)))
	c.mu.Lock()
	c.lost += lost
	c.mu.Unlock()
	c.awaitReader(err)
}

// awaitReader gives the channel up once the reader has been in one and the same
// ReadMessage for readGrace. It may wait for room in the inbox for ever.
func (c *Channel) awaitReader(cause error) {
	before := c.reads.Load()
	time.AfterFunc(readGrace, func() {
		switch {
		case c.isFinished():
		case before%2 == 1 && c.reads.Load() == before:
			c.die(cause)
		default:
			c.awaitReader(cause)
		}
	})
}

// die ends the channel because of cause, unless it has ended already.
func (c *Channel) die(cause error) {
	c.mu.Lock()
	if c.died == nil && !c.isFinished() {
		c.died = cause
	}
	c.mu.Unlock()
	err := transport.Aborted(cause)
	c.advance(transport.StateClosed)  // before anybody is woken
	c.out.kill(transport.Closed(err)) // before Receive tells
	c.in.Finish(err)
	c.release(cause)
}

func (c *Channel) isFinished() bool {
	select {
	case <-c.finished:
		return true
	default:
		return false
	}
}

func (c *Channel) release(cause error) {
	c.released.Do(func() { c.carrier.Close(cause) })
	c.advance(transport.StateClosed)
}

// ended is called by the reader and the writer as they stop; the last one out
// closes the carrier.
func (c *Channel) ended() {
	if c.running.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	cause := c.died
	c.mu.Unlock()
	c.release(cause)
	close(c.finished)
}
