package chunker

import (
	"slices"
	"time"
)

// What bookkeeping is charged against MaxBytes, in bytes, rounded up.
const (
	frameCost = 256 // a partial with its places in map, lists and window
	earlyCost = 96  // an entry of partial.early with its share of the map
	endCost   = 8   // an entry of partial.ends
)

// partial is a frame that is not complete.
type partial struct {
	id, total uint32
	opened    time.Time
	size      int // payload bytes held

	// The chunks [0, next), one after the other, and where each ends.
	next uint32
	buf  []byte
	ends []int

	// Those that came early, and what they cost.
	early     map[uint32][]byte
	earlyHeld int
}

// footprint is the memory that p holds, in bytes.
func (p *partial) footprint() int {
	return frameCost + cap(p.buf) + endCost*cap(p.ends) + p.earlyHeld
}

// chunk returns the payload held of chunk i.
func (p *partial) chunk(i uint32) (payload []byte, ok bool) {
	if i >= p.next {
		payload, ok = p.early[i]
		return payload, ok
	}
	begin := 0
	if i > 0 {
		begin = p.ends[i-1]
	}
	return p.buf[begin:p.ends[i]], true
}

// open begins a frame whose first chunk has n bytes.
func (r *Reassembler) open(h FrameHeader, n int, now time.Time) *partial {
	p := r.spare(r.expected(n, h.Total))
	if p == nil {
		p = new(partial)
		r.mem += frameCost
	}
	p.id, p.total, p.opened = h.Frame, h.Total, now
	r.frames[h.Frame] = p
	r.order = append(r.order, p)
	return p
}

// spare takes the spare partial whose buffer suits want bytes best: the
// smallest that is large enough, else the largest, but none so large that a
// small frame would sit on it. It returns nil if there is none.
func (r *Reassembler) spare(want int) *partial {
	best, most := -1, max(4*want, 64<<10)
	for i, p := range r.idle {
		if c := cap(p.buf); c <= most && (best < 0 || suitsBetter(c, cap(r.idle[best].buf), want)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	p := r.idle[best]
	r.idle = slices.Delete(r.idle, best, best+1)
	return p
}

// suitsBetter tells whether a buffer of a bytes suits want better than one of b.
func suitsBetter(a, b, want int) bool {
	if a >= want && b >= want {
		return a < b
	}
	return a > b
}

// expected guesses the size of a frame from one of its chunks.
func (r *Reassembler) expected(n int, total uint32) int {
	return int(min(int64(n)*int64(total), int64(r.o.MaxFrameSize)))
}

// retire makes p spare: empty, with its buffer.
func (r *Reassembler) retire(p *partial) {
	r.mem -= p.footprint()
	*p = partial{buf: p.buf[:0], ends: p.ends[:0]}
	if len(r.idle) < r.o.MaxFrames {
		r.mem += p.footprint()
		r.idle = append(r.idle, p)
	}
}

// store copies chunk i into p. It reports false when there is no memory left
// for it.
func (r *Reassembler) store(p *partial, i uint32, payload []byte) bool {
	p.size += len(payload)
	if i > p.next {
		return r.keepEarly(p, i, payload)
	}
	if !r.extend(p, payload) {
		return false
	}
	for len(p.early) > 0 {
		next, ok := p.early[p.next]
		if !ok {
			break
		}
		if !r.extend(p, next) {
			return false
		}
		delete(p.early, p.next-1)
		p.earlyHeld -= earlyCost + len(next)
		r.mem -= earlyCost + len(next)
	}
	return true
}

func (r *Reassembler) keepEarly(p *partial, i uint32, payload []byte) bool {
	cost := earlyCost + len(payload)
	if !r.room(p, cost) {
		return false
	}
	if p.early == nil {
		p.early = make(map[uint32][]byte)
	}
	p.early[i] = append(make([]byte, 0, len(payload)), payload...)
	p.earlyHeld += cost
	r.mem += cost
	return true
}

// extend appends the next chunk in order to p. Its buffer doubles, up to the
// size expected, so that what is allocated follows what has arrived and not
// what is announced; it grows by a quarter at least, so that no choice of
// sizes makes it copy over and over.
func (r *Reassembler) extend(p *partial, payload []byte) bool {
	if p.next == 0 && cap(p.buf) == 0 {
		if q := r.spare(r.expected(len(payload), p.total)); q != nil {
			r.mem -= frameCost + endCost*cap(p.ends) // what becomes garbage
			p.buf, p.ends = q.buf, q.ends
		}
	}
	need := len(p.buf) + len(payload)
	if need > cap(p.buf) {
		grown := max(need, cap(p.buf)+cap(p.buf)/4, min(2*cap(p.buf), r.expected(len(payload), p.total)))
		if !r.room(p, grown) {
			grown = r.o.MaxBytes - r.mem // all there is
		}
		if grown < need {
			return false
		}
		r.mem += grown - cap(p.buf)
		p.buf = append(make([]byte, 0, grown), p.buf...)
	}
	if len(p.ends) == cap(p.ends) {
		grown := max(16, 2*cap(p.ends))
		if !r.room(p, endCost*grown) {
			return false
		}
		r.mem += endCost * (grown - cap(p.ends))
		p.ends = append(make([]int, 0, grown), p.ends...)
	}
	p.buf = append(p.buf, payload...)
	p.ends = append(p.ends, len(p.buf))
	p.next++
	return true
}

// room makes sure that n more bytes fit into MaxBytes, giving up spare buffers
// and then the oldest frames but keep.
func (r *Reassembler) room(keep *partial, n int) bool {
	for n > r.o.MaxBytes-r.mem {
		if last := len(r.idle) - 1; last >= 0 {
			r.mem -= r.idle[last].footprint()
			r.idle[last] = nil
			r.idle = r.idle[:last]
			continue
		}
		i := slices.IndexFunc(r.order, func(p *partial) bool { return p != keep })
		if i < 0 {
			return false
		}
		r.drop(r.order[i])
		r.stats.EvictedMemory++
	}
	return true
}
