package chunker

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ReassemblerOptions bound a [Reassembler]. A nil pointer, and fields that are
// zero or less, mean the defaults.
type ReassemblerOptions struct {
	// MaxFrames is the most frames that may be incomplete at once. One more
	// evicts the oldest. Default 64.
	MaxFrames int

	// MaxChunks is the most chunks that a frame may announce. Default 65,536.
	MaxChunks uint32

	// MaxFrameSize is the most payload, in bytes, that a frame may have.
	// Default 64 MiB.
	MaxFrameSize int

	// MaxBytes is the most memory, in bytes, that the Reassembler may hold:
	// payload of incomplete frames with its bookkeeping, the last frame
	// returned, and buffers kept for the next ones. When a chunk does not fit,
	// spare buffers go first, then the oldest frames, and at last the frame of
	// the chunk itself. Three times the largest frame lets it arrive in any
	// order. Default 256 MiB.
	MaxBytes int

	// MaxAge is how long a frame may stay incomplete, counted from its first
	// chunk. Default 1 minute.
	MaxAge time.Duration

	// Window is how many of the last frames, finished or dropped, are
	// remembered in order to recognise their late chunks. A sender may use an
	// id again once it has left the window. A new frame's id is compared with
	// all of them. Default 256.
	Window int
}

func (o *ReassemblerOptions) withDefaults() ReassemblerOptions {
	var d ReassemblerOptions
	if o != nil {
		d = *o
	}
	d.MaxFrames = orDefault(d.MaxFrames, 64)
	d.MaxChunks = orDefault(d.MaxChunks, 1<<16)
	d.MaxFrameSize = orDefault(d.MaxFrameSize, 64<<20)
	d.MaxBytes = orDefault(d.MaxBytes, 256<<20)
	d.MaxAge = orDefault(d.MaxAge, time.Minute)
	d.Window = orDefault(d.Window, 256)
	return d
}

func orDefault[T int | int64 | uint32 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// Frame is one complete frame.
type Frame struct {
	ID      uint32
	Payload []byte // valid until the next Add or Clear
}

// Reassembler puts frames together from their chunks, which may arrive in any
// order and interleaved with those of other frames. What it holds is bounded
// by [ReassemblerOptions], whatever the sender does; a frame that is dropped
// to keep within them is counted in [Stats], and its further chunks are
// answered with [ErrEvicted].
//
// Chunks that arrive in order are copied once, into the buffer of a frame
// that was returned before; those that arrive early are copied twice.
//
// Any goroutine may call any method at any time; calls take turns. Since Add
// ends the life of the previous payload, one goroutine at a time should call
// Add.
type Reassembler struct {
	o ReassemblerOptions

	mu        sync.Mutex // guards the fields below
	frames    map[uint32]*partial
	order     []*partial // the same, oldest first
	idle      []*partial // spare, for their buffers
	delivered *partial   // owns the payload last returned
	window    []past     // a ring
	oldest    int        // in window
	mem       int        // bytes held, by footprint
	stats     Stats
}

// past is a frame that is over.
type past struct {
	id      uint32
	dropped bool // not completed
}

// NewReassembler returns an empty Reassembler.
func NewReassembler(opts *ReassemblerOptions) *Reassembler {
	return &Reassembler{o: opts.withDefaults(), frames: make(map[uint32]*partial)}
}

// Add takes one frame message and keeps nothing of it. It returns the frame if
// this chunk was the last one missing.
//
// An error means that the message was not used. After [ErrTooShort],
// [ErrZeroTotal], [ErrIndexRange], [ErrTotalMismatch], [ErrDuplicate],
// [ErrConflict], [ErrLate] and [ErrEvicted], the frames are as they were.
// After [ErrLimit] (too many chunks announced, too large a frame, or no memory
// left for it) the message's frame is dropped. All but ErrTooShort are located
// in a [ChunkError].
func (r *Reassembler) Add(msg []byte) (frame Frame, complete bool, err error) {
	h, payload, err := ParseFrame(msg)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.delivered != nil {
		r.retire(r.delivered)
		r.delivered = nil
	}
	if err == nil {
		err = r.add(h, payload)
		if err != nil {
			err = h.fail(err)
		}
	}
	if err != nil {
		r.stats.reject(err)
		return Frame{}, false, err
	}
	r.stats.Chunks++
	r.stats.Bytes += uint64(len(payload))
	p := r.frames[h.Frame]
	if p.next < p.total {
		return Frame{}, false, nil
	}
	r.close(p, false)
	r.delivered = p
	r.stats.Frames++
	return Frame{ID: p.id, Payload: p.buf}, true, nil
}

// add stores one chunk, opening its frame if it is the first.
func (r *Reassembler) add(h FrameHeader, payload []byte) error {
	now := time.Now()
	r.expire(now)
	p := r.frames[h.Frame]
	if p == nil {
		if i := slices.IndexFunc(r.window, func(w past) bool { return w.id == h.Frame }); i >= 0 {
			if r.window[i].dropped {
				return ErrEvicted
			}
			return ErrLate
		}
		if h.Total > r.o.MaxChunks {
			return fmt.Errorf("%w: MaxChunks is %d", ErrLimit, r.o.MaxChunks)
		}
		if len(payload) > r.o.MaxFrameSize {
			return fmt.Errorf("%w: MaxFrameSize is %d", ErrLimit, r.o.MaxFrameSize)
		}
		if len(r.order) >= r.o.MaxFrames {
			r.drop(r.order[0])
			r.stats.EvictedFrames++
		}
		p = r.open(h, len(payload), now)
	}
	if h.Total != p.total {
		return fmt.Errorf("%w: %d", ErrTotalMismatch, p.total)
	}
	if held, ok := p.chunk(h.Index); ok {
		if bytes.Equal(held, payload) {
			return ErrDuplicate
		}
		return ErrConflict
	}
	if len(payload) > r.o.MaxFrameSize-p.size {
		r.drop(p)
		r.stats.EvictedSize++
		return fmt.Errorf("%w: MaxFrameSize is %d", ErrLimit, r.o.MaxFrameSize)
	}
	if !r.store(p, h.Index, payload) {
		r.drop(p)
		r.stats.EvictedMemory++
		return fmt.Errorf("%w: MaxBytes is %d", ErrLimit, r.o.MaxBytes)
	}
	return nil
}

// Expire drops the frames that are older than MaxAge and returns how many.
// Add does it too; call it when nothing may arrive for long.
func (r *Reassembler) Expire() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expire(time.Now())
}

func (r *Reassembler) expire(now time.Time) (n int) {
	for len(r.order) > 0 && now.Sub(r.order[0].opened) > r.o.MaxAge {
		r.drop(r.order[0])
		r.stats.EvictedAge++
		n++
	}
	return n
}

// Clear drops all incomplete frames, forgets the finished ones, whose ids may
// then be used again, and releases all memory. The statistics stay.
func (r *Reassembler) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Cleared += uint64(len(r.order))
	clear(r.frames)
	r.order, r.idle, r.delivered, r.window, r.oldest, r.mem = nil, nil, nil, nil, 0, 0
}

// Stats returns the counts so far.
func (r *Reassembler) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Open, s.Held = len(r.order), r.mem
	return s
}

// close takes p out of the incomplete frames and remembers its id.
func (r *Reassembler) close(p *partial, dropped bool) {
	delete(r.frames, p.id)
	i := slices.Index(r.order, p)
	r.order = slices.Delete(r.order, i, i+1)
	if len(r.window) < r.o.Window {
		r.window = append(r.window, past{p.id, dropped})
		return
	}
	r.window[r.oldest] = past{p.id, dropped}
	r.oldest = (r.oldest + 1) % len(r.window)
}

func (r *Reassembler) drop(p *partial) {
	r.close(p, true)
	r.retire(p)
}
