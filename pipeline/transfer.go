package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// transfer is one transfer at the receiver. Its goroutine, run, owns the
// store; sessions bring blocks.
type transfer struct {
	srv      *Server
	peer     string // who offered it first
	manifest *Manifest
	restart  bool
	began    time.Time
	ctx      context.Context
	stop     context.CancelCauseFunc // its cause ends the transfer
	wake     chan struct{}           // run looks at the state again
	ready    chan struct{}           // closed when store is open, or is never going to be
	over     chan struct{}           // closed when all is said and done

	store   Store    // from ready on, nil if it could not be opened
	receipt *Receipt // from over on, if err is nil
	err     error    // from over on

	mu        sync.Mutex // guards the fields below
	settled   *sync.Cond // busy changed
	token     string     // to join with
	sessions  map[*session]bool
	alone     time.Time // since when there is no session
	worthless bool      // what is written must not be continued
	ending    bool      // no block is taken any more
	writers   sync.WaitGroup

	have   bitmap // written, and proved by the sender's hash
	check  bitmap // kept from an earlier attempt, not proved yet
	busy   bitmap // being verified and written
	wanted bitmap // asked for again, not announced since
	hashes table
	bad    map[uint32]int
	extent int64 // end of the highest block that was announced or kept, in bytes
	short  bool  // extent is the end of a block that is short: the stream ends there
	end    *done

	written, durable int64 // bytes
	free             [][]byte
}

func newTransfer(s *Server, m *Manifest, restart bool, peer string) *transfer {
	t := &transfer{
		srv: s, manifest: m, restart: restart, peer: peer, began: time.Now(),
		wake:     make(chan struct{}, 1),
		ready:    make(chan struct{}),
		over:     make(chan struct{}),
		token:    rand.Text(),
		sessions: make(map[*session]bool),
		alone:    time.Now(),
		bad:      make(map[uint32]int),
	}
	t.settled = sync.NewCond(&t.mu)
	t.ctx, t.stop = context.WithCancelCause(s.ctx)
	return t
}

var (
	errSuspend   = fmt.Errorf("%w: suspended because no channel was left", ErrUnknownTransfer)
	errCommitted = errors.New("pipeline: transfer committed")
)

// run is the life of a transfer.
func (t *transfer) run() {
	err := t.open()
	close(t.ready)
	if err == nil {
		err = t.live()
	}
	t.mu.Lock()
	t.ending = true
	t.mu.Unlock()
	t.stop(errCommitted) // without effect if err is its cause
	t.writers.Wait()
	if err == nil && t.receipt == nil {
		err = t.commit()
	}
	t.close(err)
}

// open opens the store and learns what it holds.
func (t *transfer) open() error {
	store, err := t.srv.sink.Open(t.ctx, t.manifest, t.restart)
	if err != nil {
		return err
	}
	t.store = store
	if t.receipt = store.Receipt(); t.receipt != nil {
		t.ending = true // nobody has seen t yet
		return nil
	}
	held, err := store.Held(t.ctx)
	if err != nil {
		return err
	}
	log := t.srv.opts.Logger.With("id", t.manifest.ID, "peer", t.peer)
	for _, d := range held.Damage {
		log.Warn("kept data damaged", "err", d)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range held.Blocks {
		if err := t.place(b.Block, b.Size); err != nil {
			return fmt.Errorf("pipeline: sink holds what does not belong to the transfer: %v", err)
		}
		t.check.set(b.Block)
		t.hashes.set(b.Block, b.Hash)
		t.written += t.sizeOf(b.Block)
	}
	t.alone = time.Now()
	kind := NoticeStarted
	if t.check.count > 0 {
		kind = NoticeResumed
	}
	t.srv.notice(t, Notice{Kind: kind, Held: t.written})
	return nil
}

// live waits until the transfer is complete (nil) or must end.
func (t *transfer) live() error {
	tick := time.NewTicker(t.srv.opts.SyncEvery)
	defer tick.Stop()
	if t.receipt != nil {
		return nil
	}
	for {
		ticked := false
		select {
		case <-t.wake:
		case <-tick.C:
			ticked = true
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		}
		if complete, err := t.complete(); complete || err != nil {
			return err
		}
		if t.forsaken() {
			return errSuspend
		}
		if ticked {
			if err := t.sync(); err != nil {
				return err
			}
		}
	}
}

// forsaken reports whether nobody has served the transfer for too long.
func (t *transfer) forsaken() bool {
	t.srv.mu.Lock()
	closing := t.srv.closing
	t.srv.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions) == 0 && (closing || time.Since(t.alone) > t.srv.opts.ResumeTimeout)
}

// sync makes durable what is written.
func (t *transfer) sync() error {
	t.mu.Lock()
	written := t.written
	dirty := written != t.durable
	t.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := t.store.Sync(t.ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durable = min(written, t.written)
	return nil
}

// complete reports whether all is there; nothing is taken any more then. It
// fails when it is there and wrong.
func (t *transfer) complete() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == nil || t.check.count > 0 || t.extent < t.end.Size || t.have.count < t.manifest.Blocks(t.end.Size) {
		return false, nil
	}
	t.ending = true // from here on nothing changes
	if root := t.hashes.root(t.have.count); root != t.end.Root {
		t.worthless = true
		return true, fmt.Errorf("%w: the blocks merge into %v, the sender says %v", ErrCorrupt, root, t.end.Root)
	}
	return true, nil
}

func (t *transfer) commit() error {
	var err error
	t.receipt, err = t.store.Commit(t.srv.ctx, t.end.Size, t.end.Root)
	return err
}

// close ends the store and tells everybody.
func (t *transfer) close(err error) {
	note := Notice{Err: err, Receipt: t.receipt}
	_, canceled := errors.AsType[*CancelError](err)
	switch {
	case err == nil:
		note.Kind = NoticeCompleted
	case canceled:
		note.Kind = NoticeCanceled
	case err == errSuspend || errors.Is(err, ErrShutdown):
		note.Kind = NoticeSuspended
	default:
		note.Kind = NoticeFailed
	}
	if t.store != nil && (err != nil || t.store.Receipt() != nil) {
		if e := t.dispose(errors.Is(err, ErrDiscard) || t.worthless); e != nil {
			t.srv.opts.Logger.Error("closing the store", "id", t.manifest.ID, "err", e)
		}
	}
	t.err = err
	s := t.srv
	s.mu.Lock()
	delete(s.transfers, t.manifest.ID)
	s.mu.Unlock()
	s.notice(t, note)
	close(t.over)
	s.mu.Lock()
	s.settle()
	s.mu.Unlock()
}

func (t *transfer) dispose(discard bool) error {
	if discard {
		return t.store.Discard()
	}
	return t.store.Suspend()
}

// poke makes run look at the state again.
func (t *transfer) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// attach adds a session. A sender that offers the transfer anew takes it over:
// older sessions end, and everything must be proved again. When the transfer
// is ending there is nothing to accept.
func (t *transfer) attach(v *session, takeover bool) (*accept, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending {
		return nil, nil
	}
	if takeover {
		for other := range t.sessions {
			other.cancel(ErrSuperseded)
		}
		for n := range t.have.all {
			t.check.set(n)
		}
		t.have, t.end, t.token = bitmap{}, nil, rand.Text()
	} else if len(t.sessions) >= t.srv.opts.MaxChannels {
		return nil, fmt.Errorf("%w: the transfer has %d channels", ErrBusy, len(t.sessions))
	}
	t.sessions[v] = true
	return &accept{Token: t.token, Credit: v.credit, Have: t.have.ranges(), Check: t.check.ranges()}, nil
}

// detach removes a session. What it asked for again in vain is asked for by
// another.
func (t *transfer) detach(v *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, v)
	t.alone = time.Now()
	for other := range t.sessions {
		other.ask(slices.Collect(t.wanted.all))
		break
	}
	t.poke()
}

// sizeOf returns the length of block n. t.mu is held.
func (t *transfer) sizeOf(n uint32) int64 {
	b := int64(t.manifest.BlockSize)
	switch {
	case t.manifest.Size >= 0:
		return min(b, t.manifest.Size-int64(n)*b)
	case t.end != nil:
		return min(b, t.end.Size-int64(n)*b)
	}
	return b
}

// finish takes the sender's word on size and root.
func (t *transfer) finish(m *done) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	size := t.manifest.Size
	switch {
	case t.end != nil && *t.end != *m:
		return protocolError("done repeated with other values")
	case t.end != nil:
		return nil
	case size >= 0 && m.Size != size:
		return protocolError("done with %d bytes, offered were %d", m.Size, size)
	case m.Size < t.extent, t.short && m.Size != t.extent:
		return protocolError("done with %d bytes does not fit the blocks", m.Size)
	case m.Size > t.srv.opts.MaxSize:
		return fmt.Errorf("%w: MaxSize is %d bytes", ErrLimit, t.srv.opts.MaxSize)
	}
	t.end = m
	t.poke()
	return nil
}

// place checks that a block of size bytes is possible next to the others.
// t.mu is held.
func (t *transfer) place(n uint32, size int) error {
	b, total := int64(t.manifest.BlockSize), t.manifest.Size
	if t.end != nil {
		total = t.end.Size
	}
	begin := int64(n) * b
	end := begin + int64(size)
	switch {
	case total >= 0 && (begin >= total || int64(size) != min(b, total-begin)):
		return protocolError("block %d of %d bytes does not fit into %d", n, size, total)
	case int64(size) > b, int64(size) < b && end < t.extent, t.short && end > t.extent:
		return protocolError("block %d of %d bytes does not fit the others", n, size)
	case end > t.srv.opts.MaxSize:
		return fmt.Errorf("%w: MaxSize is %d bytes", ErrLimit, t.srv.opts.MaxSize)
	}
	if end >= t.extent {
		t.extent, t.short = end, t.short || total < 0 && int64(size) < b
	}
	return nil
}

// compare takes the sender's hashes of blocks that are kept from before, and
// returns those that must be sent again.
func (t *transfer) compare(m *hashes) (differ []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, h := range m.Hashes {
		n := m.From + uint32(i)
		if !t.check.unset(n) {
			continue
		}
		if t.hashes.get(n) == h {
			t.have.set(n)
			continue
		}
		t.written -= t.sizeOf(n)
		t.wanted.set(n)
		differ = append(differ, n)
	}
	t.poke()
	return differ
}

// announce checks what a session says about a block to come, and returns a
// buffer for it, or nil if it is not needed any more.
func (t *transfer) announce(m *block) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.place(m.Block, m.Size); err != nil {
		return nil, err
	}
	t.wanted.unset(m.Block)
	if t.have.has(m.Block) {
		return nil, nil
	}
	if k := len(t.free); k > 0 {
		buf := t.free[k-1]
		t.free = t.free[:k-1]
		return buf, nil
	}
	return make([]byte, t.manifest.BlockSize), nil
}

// recycle keeps a buffer for the next block.
func (t *transfer) recycle(buf []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(len(t.free)+1)*int64(t.manifest.BlockSize) <= t.srv.opts.Window {
		t.free = append(t.free, buf[:cap(buf)])
	}
}

// writersPerTransfer bounds the blocks of a transfer that are verified and
// written at the same time.
const writersPerTransfer = 4

// take verifies and writes a block in the background, and tells v.
func (t *transfer) take(v *session, in *incoming) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending {
		return
	}
	t.writers.Go(func() {
		verdict := t.write(in)
		if in.buf != nil {
			t.recycle(in.buf)
		}
		v.written(in, verdict)
		t.poke()
	})
}

// What became of a block.
type verdict int

const (
	verdictKept verdict = iota
	verdictBad
	verdictLost // the transfer ends
)

func (t *transfer) write(in *incoming) verdict {
	if !t.reserve(in) {
		return verdictKept
	}
	data := in.buf[:in.Size]
	var err error
	good := VerifyBlock(in.Block, t.manifest.BlockSize, data, in.Hash)
	if good {
		err = t.store.WriteBlock(in.Block, data, in.Hash)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy.unset(in.Block)
	t.settled.Broadcast()
	switch {
	case err != nil:
		t.stop(err)
		return verdictLost
	case !good:
		t.srv.badBlocks.Add(1)
		t.wanted.set(in.Block)
		if t.bad[in.Block]++; t.bad[in.Block] > maxResends {
			t.stop(fmt.Errorf("%w: block %d arrived damaged %d times", ErrCorrupt, in.Block, t.bad[in.Block]))
			return verdictLost
		}
		return verdictBad
	}
	if !t.check.unset(in.Block) {
		t.written += int64(in.Size)
	}
	t.have.set(in.Block)
	t.hashes.set(in.Block, in.Hash)
	t.srv.blocks.Add(1)
	return verdictKept
}

// reserve waits while another session writes the same block, and reports
// whether it must still be written.
func (t *transfer) reserve(in *incoming) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.busy.has(in.Block) || t.busy.count >= writersPerTransfer {
		t.settled.Wait()
	}
	if in.buf == nil || t.have.has(in.Block) {
		return false
	}
	t.busy.set(in.Block)
	return true
}

// table holds the hashes of blocks, in pages that exist only where blocks
// are: what a sender claims costs nothing until its bytes have come.
type table struct {
	pages []*[pageSize]Hash
}

const pageSize = 1024

func (t *table) set(n uint32, h Hash) {
	i := int(n / pageSize)
	if i >= len(t.pages) {
		t.pages = slices.Grow(t.pages, i+1-len(t.pages))[:i+1]
	}
	if t.pages[i] == nil {
		t.pages[i] = new([pageSize]Hash)
	}
	t.pages[i][n%pageSize] = h
}

func (t *table) get(n uint32) Hash { return t.pages[n/pageSize][n%pageSize] }

// root merges the first n hashes, all of which must be there.
func (t *table) root(n int64) Hash {
	list := make([]Hash, n)
	for i := range list {
		list[i] = t.get(uint32(i))
	}
	return RootHash(list)
}
