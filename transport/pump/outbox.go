package pump

import (
	"context"
	"slices"
	"sync"

	"github.com/chunkferry/chunkferry/transport"
)

// step is what the writer has to do next.
type step int

const (
	stepMessage step = iota // write the entry
	stepHalfEnd             // everything is written: mark the half-close
	stepEnd                 // everything is written: mark the end
	stepDead                // stop
)

// outbox is the bounded queue between Send and the writer.
type outbox struct {
	headroom int
	maxBytes int
	maxCount int

	mu       sync.Mutex // guards the fields below
	wake     sync.Cond  // the writer has something to do
	queue    fifo
	current  *block // the block being filled
	buffered int    // payload bytes queued or being written
	released int    // messages written so far: Close watches it for progress
	sealed   error  // what push answers once no more is accepted
	half     bool   // a half-close mark is due after the queue
	end      bool   // an end mark is due after the queue
	dead     bool   // nothing more is to be written
	waiters  []*waiter
}

// waiter is one goroutine in drain.
type waiter struct {
	low  int
	done chan error // capacity 1
}

func (o *outbox) init(cfg Config) {
	o.headroom = cfg.Headroom
	o.maxBytes = cfg.Properties.MaxBuffered
	o.maxCount = max(1024, o.maxBytes/64)
	o.wake.L = &o.mu
}

func push[T ~string | ~[]byte](o *outbox, msg T, text bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed != nil {
		return o.sealed
	}
	if o.buffered > 0 && o.buffered+len(msg) > o.maxBytes || o.queue.size >= o.maxCount {
		return transport.ErrBufferFull
	}
	size := o.headroom + len(msg)
	if o.current == nil || len(o.current.data)-o.current.used < size {
		if o.current != nil {
			o.current.release()
		}
		o.current = newBlock(size)
	}
	b := o.current
	buf := b.data[b.used : b.used+size : b.used+size]
	copy(buf[o.headroom:], msg)
	b.used += size
	b.refs++
	o.queue.push(entry{buf: buf, home: b, text: text})
	o.buffered += len(msg)
	if o.queue.size == 1 {
		o.wake.Signal()
	}
	return nil
}

// next waits for the writer's next step.
func (o *outbox) next() (entry, step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		switch {
		case o.dead:
			return entry{}, stepDead
		case o.queue.size > 0:
			return o.queue.pop(), stepMessage
		case o.half:
			o.half = false
			return entry{}, stepHalfEnd
		case o.end:
			return entry{}, stepEnd
		}
		if o.current != nil {
			o.current.release()
			o.current = nil
		}
		o.wake.Wait()
	}
}

// written takes a message out of the buffered amount.
func (o *outbox) written(e entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.release()
	o.released++
	o.buffered -= len(e.buf) - o.headroom
	o.wakeDrained()
}

func (o *outbox) wakeDrained() {
	o.waiters = slices.DeleteFunc(o.waiters, func(w *waiter) bool {
		if o.sealed == nil && o.buffered > w.low {
			return false
		}
		w.done <- o.sealed
		return true
	})
}

// seal makes push and drain answer err from now on.
func (o *outbox) seal(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealLocked(err)
}

func (o *outbox) sealLocked(err error) {
	if o.sealed == nil {
		o.sealed = err
	}
	o.wakeDrained()
}

// finish seals the outbox and has the writer end it with a mark after the
// queue; with drop, the queue is forgotten first. It reports how many messages
// were forgotten.
func (o *outbox) finish(err error, drop bool) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if drop {
		dropped = o.clear()
	}
	o.end = true
	o.sealLocked(err)
	o.wake.Signal()
	return dropped
}

// halfClose seals the outbox and has the writer mark the half-close after the
// queue.
func (o *outbox) halfClose() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed != nil {
		return o.sealed
	}
	o.half = true
	o.sealLocked(transport.ErrClosed)
	o.wake.Signal()
	return nil
}

// kill forgets everything and stops the writer. It reports how many messages
// were forgotten.
func (o *outbox) kill(err error) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	dropped = o.clear()
	o.sealLocked(err)
	o.wake.Signal()
	return dropped
}

func (o *outbox) clear() int {
	n := o.queue.size
	for o.queue.size > 0 {
		e := o.queue.pop()
		o.buffered -= len(e.buf) - o.headroom
		e.release()
	}
	return n
}

func (o *outbox) amount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffered
}

func (o *outbox) progress() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.released
}

func (o *outbox) drain(ctx context.Context, low int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	if o.sealed != nil || o.buffered <= low {
		err := o.sealed
		o.mu.Unlock()
		return err
	}
	w := &waiter{low: low, done: make(chan error, 1)}
	o.waiters = append(o.waiters, w)
	o.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		o.waiters = slices.DeleteFunc(o.waiters, func(x *waiter) bool { return x == w })
		return ctx.Err()
	}
}
