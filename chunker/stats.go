package chunker

import "errors"

// Stats counts what a [Reassembler] has done.
type Stats struct {
	// Now.
	Open int // incomplete frames
	Held int // bytes of memory, at most MaxBytes

	// Accepted.
	Frames uint64 // complete frames returned
	Chunks uint64
	Bytes  uint64 // payload of these chunks

	// Messages not used, by the error that Add returned.
	TooShort, ZeroTotal, IndexRange, TotalMismatch uint64
	Duplicate, Conflict, Late, Evicted, Limit      uint64

	// Incomplete frames dropped, by reason.
	EvictedAge    uint64 // older than MaxAge
	EvictedFrames uint64 // the oldest, when MaxFrames were open
	EvictedMemory uint64 // the oldest, or the one in hand, when MaxBytes were held
	EvictedSize   uint64 // larger than MaxFrameSize
	Cleared       uint64 // by Clear
}

// Rejected returns how many messages were not used.
func (s Stats) Rejected() uint64 {
	return s.TooShort + s.ZeroTotal + s.IndexRange + s.TotalMismatch +
		s.Duplicate + s.Conflict + s.Late + s.Evicted + s.Limit
}

// Dropped returns how many frames were dropped incomplete.
func (s Stats) Dropped() uint64 {
	return s.EvictedAge + s.EvictedFrames + s.EvictedMemory + s.EvictedSize + s.Cleared
}

// reject counts a message by its error.
func (s *Stats) reject(err error) {
	for _, c := range [...]struct {
		is error
		n  *uint64
	}{
		{ErrTooShort, &s.TooShort},
		{ErrZeroTotal, &s.ZeroTotal},
		{ErrIndexRange, &s.IndexRange},
		{ErrTotalMismatch, &s.TotalMismatch},
		{ErrDuplicate, &s.Duplicate},
		{ErrConflict, &s.Conflict},
		{ErrLate, &s.Late},
		{ErrEvicted, &s.Evicted},
		{ErrLimit, &s.Limit},
	} {
		if errors.Is(err, c.is) {
			*c.n++
			return
		}
	}
}
