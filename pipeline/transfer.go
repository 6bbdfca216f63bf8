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
	claim     claim      // of the latest offer
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
			return fmt.Errorf("pipeline: sink holds what does not belong to the transfer: %w", err)
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
		if v.claim.older(t.claim) {
			return nil, ErrSuperseded
		}
		t.claim = v.claim
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
