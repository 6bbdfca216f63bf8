package pump

import (
	"context"
	"sync"

	"github.com/chunkferry/chunkferry/transport"
)

const (
	// InboxSize is where an Inbox stops taking messages, in bytes.
	InboxSize = 1 << 20

	// entryCost is what a message costs beside its payload, so that empty
	// messages fill the inbox too.
	entryCost = 64
)

// Inbox is the bounded queue between a carrier and Receive. Channel has one;
// adapters whose library calls back with messages use one by itself. All
// methods may be called at once, except that one goroutine at a time puts and
// one receives.
type Inbox struct {
	mu      sync.Mutex // guards the fields below
	queue   fifo
	held    int    // payload bytes and entryCost of what is queued, packs aside
	packed  int    // bytes in packs
	hint    int    // capacity the next message probably needs
	current *block // the block being filled, the reader's
	loaned  entry  // what the last Receive returned
	discard bool   // a local close: the reader reads on and drops
	end     error  // what Receive returns after the queue

	ready chan struct{} // capacity 1: the queue or end changed
	space chan struct{} // capacity 1: held fell or discard was set
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox {
	return &Inbox{ready: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lockWithRoom locks the inbox when there is room, or nothing is kept anyway.
func (i *Inbox) lockWithRoom() {
	i.mu.Lock()
	for i.held >= InboxSize && !i.discard {
		i.mu.Unlock()
		<-i.space
		i.mu.Lock()
	}
}

// Put waits until there is room and queues msg, which belongs to the inbox
// from then on. After Abandon it returns at once and drops msg.
//
// Tiny messages do not wait: a library that calls back has them in memory at
// many times their size, so it is better to take them in, packed. It reports
// false, and drops msg, when there are too many of them: nobody but a peer
// that means harm leaves millions unread.
func (i *Inbox) Put(msg []byte, text bool) (ok bool) {
	if len(msg) <= tinyMessage {
		return i.putTiny(msg, text)
	}
	i.lockWithRoom()
	defer i.mu.Unlock()
	i.put(entry{buf: msg, text: text})
	return true
}

func (i *Inbox) put(e entry) {
	if i.discard {
		e.release()
		return
	}
	i.queue.push(e)
	i.held += len(e.buf) + entryCost
	signal(i.ready)
}

// buffer waits until there is room and returns an empty buffer for the next
// message.
func (i *Inbox) buffer() []byte {
	i.lockWithRoom()
	defer i.mu.Unlock()
	need := max(i.hint, 512)
	if i.current == nil || len(i.current.data)-i.current.used < need {
		if i.current != nil {
			i.current.release()
		}
		i.current = newBlock(need)
	}
	return i.current.data[i.current.used:i.current.used]
}

// push queues a message that was appended to what buffer returned.
func (i *Inbox) push(msg []byte, text bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	// Room for one byte more lets a carrier see the end of a message of the
	// usual size without growing the buffer.
	i.hint = max(len(msg)+1, i.hint-i.hint/8)
	e := entry{buf: msg[:len(msg):len(msg)], text: text}
	b := i.current
	if len(msg) > 0 && b.used < len(b.data) && &msg[0] == &b.data[b.used] {
		e.home = b
		b.refs++
		if !i.discard {
			b.used += len(msg)
		}
	}
	i.put(e)
}

// Finish has Receive return err after what is queued. The first err stays.
func (i *Inbox) Finish(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.end == nil {
		i.end = err
	}
	signal(i.ready)
}

// Abandon forgets what is queued, has Receive return err, and from now on lets
// every message in and keeps none: what a local Close wants.
func (i *Inbox) Abandon(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.discard = true
	for i.queue.size > 0 {
		i.queue.pop().release()
	}
	i.held, i.packed = 0, 0
	i.end = err
	signal(i.ready)
	signal(i.space)
}

// retire gives back the block being filled, once the reader has ended.
func (i *Inbox) retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current != nil {
		i.current.release()
		i.current = nil
	}
}

// Receive is transport.Channel's.
func (i *Inbox) Receive(ctx context.Context) (transport.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return transport.Message{}, err
		}
		i.mu.Lock()
		i.loaned.release()
		i.loaned = entry{}
		if i.queue.size > 0 && i.queue.front().pack {
			m := i.unpack()
			i.mu.Unlock()
			return m, nil
		}
		if i.queue.size > 0 {
			e := i.queue.pop()
			i.loaned = e
			i.held -= len(e.buf) + entryCost
			if i.held < InboxSize {
				signal(i.space)
			}
			i.mu.Unlock()
			return transport.Message{Data: e.buf, Text: e.text}, nil
		}
		if err := i.end; err != nil {
			signal(i.ready) // the next call must not wait
			i.mu.Unlock()
			return transport.Message{}, err
		}
		i.mu.Unlock()
		select {
		case <-i.ready:
		case <-ctx.Done():
			return transport.Message{}, ctx.Err()
		}
	}
}
