package compare

import (
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"
)

// The ways in which a run fails on its own account.
var (
	// ErrStalled: nothing arrived for longer than Config.Stall.
	ErrStalled = errors.New("compare: transfer stalled")

	// ErrUnverified: the receiver ended up with other bytes than were sent.
	ErrUnverified = errors.New("compare: content differs at the receiver")
)

// errCut ends a run whose time is over.
var errCut = errors.New("compare: run cut off")

// verifier takes what a receiver writes, keeps none of it and hashes all of it.
// Every carrier is ordered, so it expects the next byte and calls anything else
// an error. After stop it takes nothing more.
type verifier struct {
	rec *recorder

	mu        sync.Mutex
	hash      hash.Hash
	delivered int64
	last      time.Time // when the last byte was hashed
	stopped   bool
}

func newVerifier(rec *recorder) *verifier { return &verifier{rec: rec, hash: newHash()} }

// WriteAt implements io.WriterAt.
func (v *verifier) WriteAt(p []byte, off int64) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stopped {
		return 0, errCut
	}
	if off != v.delivered {
		return 0, fmt.Errorf("%w: byte %d arrived where byte %d was due", ErrUnverified, off, v.delivered)
	}
	v.hash.Write(p)
	v.delivered += int64(len(p))
	v.last = time.Now()
	v.rec.add(v.last, len(p))
	return len(p), nil
}

// stop ends counting and returns what has been counted.
func (v *verifier) stop() (delivered int64, last time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = true
	return v.delivered, v.last
}

// check compares what was counted with the source.
func (v *verifier) check(src *source, part section) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	want, err := src.hash(section{part.offset, v.delivered}, v.delivered == part.size)
	if err != nil {
		return err
	}
	if got := sum(v.hash); got != want {
		return fmt.Errorf("%w: %d bytes with the BLAKE3 hash %x instead of %x", ErrUnverified, v.delivered, got[:8], want[:8])
	}
	return nil
}
