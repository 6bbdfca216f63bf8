package chunker

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// program hands out the bytes of a fuzz input as operands, zero when it ends.
type program []byte

func (p *program) next() int {
	if len(*p) == 0 {
		return 0
	}
	b := (*p)[0]
	*p = (*p)[1:]
	return int(b)
}

// below returns an operand from 0 to n-1.
func (p *program) below(n int) int { return p.next() % n }

// payload returns up to 15 equal bytes.
func (p *program) payload() []byte {
	return bytes.Repeat([]byte{byte('a' + p.below(3))}, p.below(16))
}

// FuzzReassembler runs a program of operations on a Reassembler and on a model
// made of maps, which predicts every outcome but one: when memory is tight it
// is told how many frames had to go, and checks that they were the oldest.
func FuzzReassembler(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 3, 0, 5, 0, 0, 2, 3, 1, 5, 0, 0, 1, 3, 2, 5})
	// A frame in order takes the buffer of another than its own spare.
	f.Add([]byte{0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 1, 1, 1, 0, 0, 0, 3, 1, 1, 0, 0, 0, 3, 0, 1, 0, 5})
	f.Add([]byte{1, 0, 0, 0, 3, 0, 5, 1, 0, 0, 3, 2, 9, 0, 1, 1, 4, 4, 4, 5, 200, 2, 0, 6, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			p := program(in)
			m := newFrameModel(t, p.below(2) == 1)
			for len(p) > 0 {
				m.step(&p)
			}
			m.finish()
		})
	})
}

type frameModel struct {
	t      *testing.T
	r      *Reassembler
	tight  bool
	frames map[uint32]*modelFrame
	past   []past // the last ones, oldest first
	opened int    // frames so far
	stats  Stats
}

type modelFrame struct {
	total  uint32
	nth    int // by age
	opened time.Time
	chunks map[uint32][]byte
}

func (f *modelFrame) size() (n int) {
	for _, c := range f.chunks {
		n += len(c)
	}
	return n
}

func newFrameModel(t *testing.T, tight bool) *frameModel {
	o := &ReassemblerOptions{MaxFrames: 3, MaxChunks: 6, MaxFrameSize: 50, MaxAge: time.Second, Window: 4}
	if tight {
		o.MaxBytes = 1300
	}
	return &frameModel{t: t, r: NewReassembler(o), tight: tight, frames: make(map[uint32]*modelFrame)}
}

func (m *frameModel) step(p *program) {
	switch p.below(7) {
	case 0, 1, 2: // a chunk that fits the frame if it is open
		h := FrameHeader{Frame: uint32(p.below(5)) - 1, Index: uint32(p.below(6)), Total: uint32(p.below(6) + 1)}
		if f := m.frames[h.Frame]; f != nil {
			h.Total = f.total
		}
		m.add(AppendFrame(nil, h, p.payload()))
	case 3: // any header
		h := FrameHeader{Frame: uint32(p.below(5)) - 1, Index: uint32(p.below(9)), Total: uint32(p.below(9))}
		m.add(AppendFrame(nil, h, p.payload()))
	case 4: // a held chunk again
		ids := slices.Sorted(maps.Keys(m.frames))
		if len(ids) == 0 {
			return
		}
		id := ids[p.below(len(ids))]
		f := m.frames[id]
		indices := slices.Sorted(maps.Keys(f.chunks))
		i := indices[p.below(len(indices))]
		m.add(AppendFrame(nil, FrameHeader{Frame: id, Index: i, Total: f.total}, f.chunks[i]))
	case 5:
		time.Sleep(time.Duration(p.below(256)) * 10 * time.Millisecond) // in the bubble
		if p.below(2) == 0 {
			before := len(m.frames)
			m.expire()
			if got := m.r.Expire(); got != before-len(m.frames) {
				m.t.Fatalf("%d frames expired, want %d", got, before-len(m.frames))
			}
			m.check()
		}
	case 6:
		if p.below(8) == 0 {
			m.clear()
		} else {
			m.add(bytes.Repeat([]byte{1}, p.below(FrameHeaderSize)))
		}
	}
}

// finish sends what is missing; then nothing may be left.
func (m *frameModel) finish() {
	for len(m.frames) > 0 {
		id := m.oldest()
		f := m.frames[id]
		for i := range f.total {
			if _, ok := f.chunks[i]; !ok && m.frames[id] == f {
				m.add(AppendFrame(nil, FrameHeader{Frame: id, Index: i, Total: f.total}, nil))
			}
		}
		if m.frames[id] == f {
			m.t.Fatalf("frame %d is still open", id)
		}
	}
	m.clear()
	if s := m.r.Stats(); s.Open != 0 || s.Held != 0 {
		m.t.Fatalf("left over: %+v", s)
	}
}

func (m *frameModel) clear() {
	m.r.Clear()
	m.stats.Cleared += uint64(len(m.frames))
	clear(m.frames)
	m.past = nil
	m.check()
}

func (m *frameModel) add(msg []byte) {
	evicted := m.r.Stats().EvictedMemory
	got, complete, err := m.r.Add(msg)
	evicted = m.r.Stats().EvictedMemory - evicted

	h, payload, want := ParseFrame(msg)
	if want == nil {
		want = m.predict(h, payload)
	} else {
		want = headerFault(want)
	}
	if evicted > 0 {
		want = m.evict(h, evicted, err)
	}
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		m.t.Fatalf("%+v %q: %v, want %v", h, payload, err, want)
	}
	if err != nil {
		m.stats.reject(want)
		m.check()
		return
	}
	m.stats.Chunks++
	m.stats.Bytes += uint64(len(payload))
	f := m.frames[h.Frame]
	if f == nil {
		m.t.Fatalf("%+v: accepted for a frame that is not open", h)
	}
	f.chunks[h.Index] = bytes.Clone(payload)
	if complete != (len(f.chunks) == int(f.total)) {
		m.t.Fatalf("%+v: complete %v with %d chunks", h, complete, len(f.chunks))
	}
	if complete {
		var whole []byte
		for i := range f.total {
			whole = append(whole, f.chunks[i]...)
		}
		if got.ID != h.Frame || !bytes.Equal(got.Payload, whole) {
			m.t.Fatalf("frame %d is %q, want %q", got.ID, got.Payload, whole)
		}
		m.forget(h.Frame, false)
		m.stats.Frames++
	}
	m.check()
}

// predict returns the error that a message deserves as far as memory has no
// say, and opens and drops frames as it should.
func (m *frameModel) predict(h FrameHeader, payload []byte) error {
	m.expire()
	f := m.frames[h.Frame]
	if f == nil {
		for _, p := range m.past {
			if p.id == h.Frame {
				if p.dropped {
					return ErrEvicted
				}
				return ErrLate
			}
		}
		if h.Total > m.r.o.MaxChunks || len(payload) > m.r.o.MaxFrameSize {
			return ErrLimit
		}
		if len(m.frames) == m.r.o.MaxFrames {
			m.forget(m.oldest(), true)
			m.stats.EvictedFrames++
		}
		m.opened++
		f = &modelFrame{total: h.Total, nth: m.opened, opened: time.Now(), chunks: make(map[uint32][]byte)}
		m.frames[h.Frame] = f
	}
	if h.Total != f.total {
		return ErrTotalMismatch
	}
	if c, ok := f.chunks[h.Index]; ok {
		if bytes.Equal(c, payload) {
			return ErrDuplicate
		}
		return ErrConflict
	}
	if f.size()+len(payload) > m.r.o.MaxFrameSize {
		m.forget(h.Frame, true)
		m.stats.EvictedSize++
		return ErrLimit
	}
	return nil
}

// evict follows the Reassembler in dropping n frames for lack of memory: the
// oldest, and the one in hand only if no other is left.
func (m *frameModel) evict(h FrameHeader, n uint64, err error) error {
	if !m.tight {
		m.t.Fatalf("%+v: %d frames evicted though there is memory", h, n)
	}
	m.stats.EvictedMemory += n
	own := errors.Is(err, ErrLimit)
	if own {
		n--
	}
	f := m.frames[h.Frame]
	delete(m.frames, h.Frame)
	for range n {
		m.forget(m.oldest(), true)
	}
	m.frames[h.Frame] = f
	if !own {
		return nil
	}
	if len(m.frames) > 1 {
		m.t.Fatalf("%+v: dropped before the others", h)
	}
	m.forget(h.Frame, true)
	return ErrLimit
}

func (m *frameModel) oldest() uint32 {
	return slices.MinFunc(slices.Collect(maps.Keys(m.frames)), func(a, b uint32) int {
		return cmp.Compare(m.frames[a].nth, m.frames[b].nth)
	})
}

func (m *frameModel) expire() {
	for len(m.frames) > 0 && time.Since(m.frames[m.oldest()].opened) > m.r.o.MaxAge {
		m.forget(m.oldest(), true)
		m.stats.EvictedAge++
	}
}

func (m *frameModel) forget(id uint32, dropped bool) {
	delete(m.frames, id)
	m.past = append(m.past, past{id, dropped})
	if len(m.past) > m.r.o.Window {
		m.past = m.past[1:]
	}
}

// check compares all state: what is open, what is counted, what is held.
func (m *frameModel) check() {
	m.t.Helper()
	want := m.stats
	want.Open, want.Held = len(m.frames), m.r.mem
	if got := m.r.Stats(); got != want {
		m.t.Fatalf("stats %+v, want %+v", got, want)
	}
	mem := 0
	for _, p := range m.r.idle {
		mem += p.footprint()
	}
	if m.r.delivered != nil {
		mem += m.r.delivered.footprint()
	}
	for i, p := range m.r.order {
		mem += p.footprint()
		f := m.frames[p.id]
		if f == nil || p != m.r.frames[p.id] || p.size != f.size() || int(p.next)+len(p.early) != len(f.chunks) {
			m.t.Fatalf("frame %d: %+v, want %+v", p.id, p, f)
		}
		if i > 0 && f.nth < m.frames[m.r.order[i-1].id].nth {
			m.t.Fatalf("frame %d out of order", p.id)
		}
		early := 0
		for _, c := range p.early {
			early += earlyCost + len(c)
		}
		if early != p.earlyHeld {
			m.t.Fatalf("frame %d: early chunks cost %d, counted %d", p.id, early, p.earlyHeld)
		}
	}
	if mem != m.r.mem || mem > m.r.o.MaxBytes {
		m.t.Fatalf("%d bytes held, %d counted, %d allowed", mem, m.r.mem, m.r.o.MaxBytes)
	}
}
