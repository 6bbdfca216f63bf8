package pump

import (
	"math/bits"
	"sync"
)

// Blocks come in powers of two, from one that takes five default chunks to one
// that takes the largest message anybody should send.
const (
	smallestBlock = 256 << 10
	classes       = 8
)

var pools [classes]sync.Pool

// block is a stretch of memory that messages are packed into. It goes back to
// its pool when its last reference is released.
type block struct {
	data []byte
	used int
	refs int // guarded by the owner's mutex
}

func class(size int) int {
	return bits.Len(uint(max(size, 1)-1) / smallestBlock)
}

func newBlock(size int) *block {
	c := class(size)
	if c >= classes {
		return &block{data: make([]byte, size), refs: 1}
	}
	b, ok := pools[c].Get().(*block)
	if !ok {
		return &block{data: make([]byte, smallestBlock<<c), refs: 1}
	}
	b.used, b.refs = 0, 1
	return b
}

func (b *block) release() {
	b.refs--
	if c := class(len(b.data)); b.refs == 0 && c < classes {
		pools[c].Put(b)
	}
}

// entry is one message inside a block.
type entry struct {
	buf  []byte
	home *block // nil if buf outgrew its block
	text bool
	pack bool // buf holds many tiny messages, see Inbox.Put
}

func (e entry) release() {
	if e.home != nil {
		e.home.release()
	}
}

// fifo is a queue of entries in a ring that grows and is reused.
type fifo struct {
	ring       []entry
	head, size int
}

func (f *fifo) push(e entry) {
	if f.size == len(f.ring) {
		grown := make([]entry, max(16, 2*len(f.ring)))
		n := copy(grown, f.ring[f.head:])
		copy(grown[n:], f.ring[:f.head])
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.size)%len(f.ring)] = e
	f.size++
}

// front and back are the oldest and the newest entry of a queue that has any.
func (f *fifo) front() *entry { return &f.ring[f.head] }
func (f *fifo) back() *entry  { return &f.ring[(f.head+f.size-1)%len(f.ring)] }

func (f *fifo) pop() entry {
	e := f.ring[f.head]
	f.ring[f.head] = entry{}
	f.head = (f.head + 1) % len(f.ring)
	f.size--
	if f.size == 0 && len(f.ring) > 1024 {
		f.ring, f.head = nil, 0
	}
	return e
}
