package memchan

import (
	"math/rand/v2"
	"sync"
	"time"
)

// maxMessages bounds queue and inbox where bytes do not: empty messages.
const maxMessages = 1 << 16

// reorderSpan is how many waiting messages an unordered link picks from.
const reorderSpan = 16

// message is one message on its way.
type message struct {
	data []byte
	text bool
	due  time.Duration // on the lane's clock
}

// end says how much of the sender's side has ended.
type end int

const (
	endNone  end = iota
	endWrite     // CloseWrite: this direction is over
	endAll       // Close: the sender reads no more either
)

// lane is one direction of a link. The mutex of the link guards it.
type lane struct {
	mu    *sync.Mutex
	opts  *Options
	epoch time.Time
	timed bool // has latency or rate
	rng   *rand.Rand

	queue    ring[message] // accepted by Send, not arrived
	queued   int           // payload bytes in queue
	inbox    ring[message] // arrived, not received
	held     int           // payload bytes in inbox
	pool     pool
	lineFree time.Duration // when the last byte of queue is on the line
	timer    *time.Timer   // calls advance when the head of queue is due

	ending  end           // what the sender has asked for
	endDue  time.Duration // when it arrives at the earliest
	arrived end           // what the receiver has been told

	silent     bool // cut: nothing arrives any more
	readerGone bool // the receiver has closed: nothing can be delivered
	lost       bool // something accepted found no reader

	waiters []*waiter     // in Drain
	ready   chan struct{} // wakes Receive
	moved   chan struct{} // wakes Close
}

// waiter is one call of Drain.
type waiter struct {
	low  int
	wake chan struct{}
}

func newLane(mu *sync.Mutex, opts *Options, stream uint64) *lane {
	return &lane{
		mu:    mu,
		opts:  opts,
		epoch: time.Now(),
		timed: opts.Latency > 0 || opts.Rate > 0,
		rng:   rand.New(rand.NewPCG(opts.Seed, stream)),
		pool:  pool{limit: opts.MaxBuffered + opts.ReceiveBuffer},
		ready: make(chan struct{}, 1),
		moved: make(chan struct{}, 1),
	}
}

// now is the lane's clock, read only where something depends on time.
func (l *lane) now() time.Duration {
	if !l.timed {
		return 0
	}
	return time.Since(l.epoch)
}

// hasRoom reports whether the queue takes n more bytes.
func (l *lane) hasRoom(n int) bool {
	return l.queue.n < maxMessages && (l.queued == 0 || l.queued+n <= l.opts.MaxBuffered)
}

// accept queues a message and moves what can move.
func (l *lane) accept(m message) {
	if l.timed {
		l.lineFree = max(l.lineFree, l.now())
		if l.opts.Rate > 0 {
			l.lineFree += time.Duration(float64(len(m.data)) / float64(l.opts.Rate) * float64(time.Second))
		}
		m.due = l.lineFree + l.opts.Latency
	}
	l.queue.push(m)
	l.queued += len(m.data)
	l.advance()
}

// finish sends the end behind everything queued.
func (l *lane) finish(e end) {
	if e <= l.ending {
		return
	}
	l.ending = e
	l.endDue = max(l.lineFree, l.now()) + l.opts.Latency
	l.advance()
}

// advance lets arrive what is due and has room, and wakes who waits for it.
func (l *lane) advance() {
	if l.silent {
		return
	}
	now, changed := l.now(), false
	for l.queue.n > 0 {
		m := l.queue.at(0)
		if m.due > now {
			l.wakeAt(m.due - now)
			break
		}
		if !l.readerGone && (l.inbox.n == maxMessages || l.inbox.n > 0 && l.held+len(m.data) > l.opts.ReceiveBuffer) {
			break
		}
		l.deliver(l.queue.pop())
		changed = true
	}
	if l.queue.n == 0 && l.arrived < l.ending {
		if l.endDue > now {
			l.wakeAt(l.endDue - now)
		} else {
			l.arrived, changed = l.ending, true
		}
	}
	if changed {
		signal(l.ready)
		signal(l.moved)
		l.wakeDrain(false)
	}
}

func (l *lane) deliver(m message) {
	l.queued -= len(m.data)
	switch {
	case l.readerGone:
		l.lost = true
		l.pool.put(m.data)
	case l.opts.Loss > 0 && l.rng.Float64() < l.opts.Loss:
		l.pool.put(m.data)
	default:
		l.inbox.push(m)
		l.held += len(m.data)
	}
}

// take removes the next message from the inbox, which must not be empty.
func (l *lane) take() message {
	if l.opts.Unordered {
		i := l.rng.IntN(min(l.inbox.n, reorderSpan))
		first, other := l.inbox.at(0), l.inbox.at(i)
		*first, *other = *other, *first
	}
	m := l.inbox.pop()
	l.held -= len(m.data)
	l.advance()
	return m
}

// wakeAt arranges for advance to run after d.
func (l *lane) wakeAt(d time.Duration) {
	if l.timer != nil {
		l.timer.Reset(d)
		return
	}
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.advance()
	})
}

// drop forgets what is queued: it will never arrive, and no end behind it.
func (l *lane) drop() {
	l.ending = l.arrived
	for l.queue.n > 0 {
		l.pool.put(l.queue.pop().data)
		l.lost = true
	}
	l.queued = 0
	if l.timer != nil {
		l.timer.Stop()
	}
}

// abandon forgets the inbox: its reader has closed.
func (l *lane) abandon() {
	l.readerGone = true
	for l.inbox.n > 0 {
		l.pool.put(l.inbox.pop().data)
	}
	l.held = 0
	l.advance()
}

// wakeDrain wakes the calls of Drain whose level is reached, or all.
func (l *lane) wakeDrain(all bool) {
	kept := l.waiters[:0]
	for _, w := range l.waiters {
		if all || l.queued <= w.low {
			signal(w.wake)
		} else {
			kept = append(kept, w)
		}
	}
	clear(l.waiters[len(kept):])
	l.waiters = kept
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
