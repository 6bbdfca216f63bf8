package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// sending is one call of Send: the blocks and where they are. Three kinds of
// goroutines work on it: one reads, two hash, and each lane sends and
// receives on a channel.
type sending struct {
	opts     *SendOptions
	src      Source
	layout   *layout
	id       string
	began    time.Time
	finished chan struct{}   // closed when run is about to return
	parent   context.Context // the caller's
	ctx      context.Context
	cancel   context.CancelCauseFunc // its cause ends the transfer
	rate     *limiter
	accepted atomic.Int64
	name     string        // of this sending, made up
	offers   atomic.Uint32 // made so far
	calling  sync.Mutex    // held during calls of the user's functions

	mu   sync.Mutex // guards the fields below
	wake *sync.Cond // something below changed

	free  [][]byte // block buffers
	spare int      // buffers that may still be made

	reading uint32 // the next block to read; all below were
	known   []Hash // of blocks below reading, where hashed
	hashed  bitmap
	pending []*outBlock          // read and hashed, to be sent, in order
	flight  map[uint32]*outBlock // read, not acknowledged: those of pending too
	have    bitmap               // acknowledged, or held by the receiver
	check   bitmap               // the receiver wants their hash
	again   []uint32             // to be read a second time
	resends map[uint32]int

	readBytes, ackedBytes, durable int64

	ended bool  // all is read and hashed: size and root are final
	size  int64 // if ended
	root  Hash  // if ended

	token  string // to join with, "" when the transfer must be offered
	lanes  map[*lane]bool
	routes []string // that carried content

	renamed  []Committed
	early    *complete // came before all was read
	complete *complete // final
}

// outBlock is a block in memory. It is let go when it is acknowledged and no
// lane is reading it.
type outBlock struct {
	n       uint32
	data    []byte
	hash    Hash
	lane    *lane // that has sent it or is doing so
	senders int   // lanes reading data now
	acked   bool
}

func newSending(ctx context.Context, o *SendOptions, src Source, l *layout, id string) *sending {
	s := &sending{
		opts: o, src: src, layout: l, id: id,
		began:    time.Now(),
		name:     rand.Text(),
		finished: make(chan struct{}),
		rate:     newLimiter(o.Rate),
		spare:    o.MaxBuffered / o.BlockSize,
		flight:   make(map[uint32]*outBlock),
		resends:  make(map[uint32]int),
		lanes:    make(map[*lane]bool),
	}
	s.wake = sync.NewCond(&s.mu)
	s.parent = ctx
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// blocks returns how many blocks there are at most, as far as is known.
func (s *sending) blocks() int64 {
	if s.layout.size < 0 {
		return int64(s.reading)
	}
	return (s.layout.size + int64(s.opts.BlockSize) - 1) / int64(s.opts.BlockSize)
}

// sizeOf returns the length of block n, which has been read.
func (s *sending) sizeOf(n uint32) int64 {
	size := s.layout.size
	if s.ended {
		size = s.size
	}
	if size < 0 { // a stream goes on: only full blocks so far
		return int64(s.opts.BlockSize)
	}
	return min(int64(s.opts.BlockSize), size-int64(n)*int64(s.opts.BlockSize))
}

// run is Send.
func (s *sending) run(routes []Route) (*Result, error) {
	stop := context.AfterFunc(s.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	var helpers sync.WaitGroup
	readerDone := make(chan struct{})
	go func() {
		defer close(readerDone)
		s.read()
	}()
	helpers.Go(s.reportProgress)

	err := s.connect(routes)
	if err == nil {
		err = s.verdict()
	}
	s.cancel(errOver)
	close(s.finished)
	helpers.Wait()
	if s.layout.size >= 0 || err == nil {
		<-readerDone
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Result{
		ID: s.id, Size: s.complete.Size, Root: s.complete.Root, Files: s.complete.Files,
		Renamed: s.renamed, Sent: s.accepted.Load(), Elapsed: time.Since(s.began), Routes: s.routes,
	}, nil
}

// verdict returns how the transfer ended, once its context is done.
func (s *sending) verdict() error {
	s.mu.Lock()
	c := s.complete
	s.mu.Unlock()
	if c != nil {
		return nil
	}
	cause := context.Cause(s.ctx)
	if s.parent.Err() != nil && cause == context.Cause(s.parent) {
		return &CancelError{Reason: cause.Error(), cause: cause}
	}
	return cause
}

// fail ends the transfer.
func (s *sending) fail(err error) { s.cancel(err) }

// finish takes the receipt. If the receiver has had the content for long, what
// is read here must first prove to be the same.
func (s *sending) finish(c *complete) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return s.compare(c)
	}
	if s.layout.size < 0 || c.Size != s.layout.size {
		return protocolError("complete with %d bytes before they were sent", c.Size)
	}
	s.early = c
	for n := range uint32(s.blocks()) {
		s.settle(n)
	}
	s.wake.Broadcast()
	return nil
}

// compare ends the transfer with a receipt, if it is for what was read. s.mu
// is held.
func (s *sending) compare(c *complete) error {
	if c.Size == s.size && c.Root == s.root {
		s.complete = c
		s.ackedBytes, s.durable = c.Size, c.Size
		s.cancel(errOver)
		return errOver
	}
	err := fmt.Errorf("%w: the receiver has %d bytes with root %v", ErrCorrupt, c.Size, c.Root)
	if s.accepted.Load() == 0 {
		err = fmt.Errorf("%w: it arrived earlier with %d bytes and root %v", ErrSourceChanged, c.Size, c.Root)
	}
	s.cancel(err)
	return err
}

var (
	errOver = errors.New("pipeline: transfer over")
)

// ErrDiscard as the cause of a canceled context makes [Send] tell the receiver
// to forget what arrived.
var ErrDiscard = errors.New("pipeline: discard what has arrived")

// buffer waits for a block buffer. It returns nil when the transfer is over.
func (s *sending) buffer() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.ctx.Err() != nil {
			return nil
		}
		if k := len(s.free); k > 0 {
			b := s.free[k-1]
			s.free = s.free[:k-1]
			return b
		}
		if s.spare > 0 {
			s.spare--
			return make([]byte, s.opts.BlockSize)
		}
		s.wake.Wait()
	}
}

// release gives a block's buffer back if nobody needs it any more. s.mu is
// held.
func (s *sending) release(b *outBlock) {
	if b.acked && b.senders == 0 && b.data != nil {
		s.free = append(s.free, b.data[:cap(b.data)])
		b.data = nil
		s.wake.Broadcast()
	}
}
