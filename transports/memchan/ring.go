package memchan

import "math/bits"

// ring is a queue that reuses its memory.
type ring[T any] struct {
	buf  []T // its length is a power of two
	head int
	n    int
}

func (r *ring[T]) at(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring[T]) push(v T) {
	if r.n == len(r.buf) {
		grown := make([]T, max(16, 2*r.n))
		for i := range r.n {
			grown[i] = *r.at(i)
		}
		r.buf, r.head = grown, 0
	}
	r.n++
	*r.at(r.n - 1) = v
}

func (r *ring[T]) pop() T {
	var zero T
	v := *r.at(0)
	*r.at(0) = zero
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return v
}

// pool keeps buffers for reuse, by the power of two of their capacity, so that
// a small message never occupies a large buffer.
type pool struct {
	free  [bits.UintSize + 1][][]byte
	bytes int
	limit int // bytes kept at most
}

func (p *pool) get(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	class := max(6, bits.Len(uint(n-1)))
	list := p.free[class]
	if len(list) == 0 {
		return make([]byte, n, 1<<class)
	}
	b := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[class] = list[:len(list)-1]
	p.bytes -= cap(b)
	return b[:n]
}

func (p *pool) put(b []byte) {
	if cap(b) == 0 || p.bytes+cap(b) > p.limit {
		return
	}
	class := bits.Len(uint(cap(b) - 1))
	p.free[class] = append(p.free[class], b)
	p.bytes += cap(b)
}
