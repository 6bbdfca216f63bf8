package emulator

// transmitter is the bottleneck: a drop-tail queue in front of a sender of
// constant rate. It works in virtual time, exact to the nanosecond: it computes
// when each packet starts and ends, and the remainder of one division goes into
// the next.
type transmitter struct {
	rate  int64 // bits/s; 0: none
	limit int   // bytes

	free      int64 // when the packet sent last ends
	remainder int64 // of a nanosecond, in units of 1/rate
	queued    int   // bytes that wait at the time of the last call
	waiting   fifo
}

// accept returns when the packet has been transmitted, or false when the queue
// has no room for it. The times of successive calls do not go backwards.
func (t *transmitter) accept(now int64, size int) (done int64, ok bool) {
	if t.rate == 0 {
		return now, true
	}
	for t.waiting.len > 0 && t.waiting.first().starts <= now {
		t.queued -= t.waiting.pop().size
	}
	if t.free <= now {
		t.free, t.remainder = now, 0
	} else {
		if t.queued+size > t.limit {
			return 0, false
		}
		t.queued += size
		t.waiting.push(waiter{t.free, size})
	}
	bits := int64(size)*8*1e9 + t.remainder
	t.free += bits / t.rate
	t.remainder = bits % t.rate
	return t.free, true
}

// waiter is a packet in the queue.
type waiter struct {
	starts int64 // when its transmission will
	size   int
}

// fifo is a ring that grows to what it once needed.
type fifo struct {
	ring []waiter // a power of two long
	head int
	len  int
}

func (f *fifo) first() *waiter { return &f.ring[f.head] }

func (f *fifo) pop() waiter {
	w := f.ring[f.head]
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.len--
	return w
}

func (f *fifo) push(w waiter) {
	if f.len == len(f.ring) {
		grown := make([]waiter, max(64, 2*len(f.ring)))
		n := copy(grown, f.ring[f.head:])
		copy(grown[n:], f.ring[:f.head])
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.len)&(len(f.ring)-1)] = w
	f.len++
}
