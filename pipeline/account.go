package pipeline

import (
	"cmp"
	"fmt"
	"slices"
)

// offerBlock takes a block that was read and hashed.
func (s *sending) offerBlock(b *outBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[b.n] = b.hash
	s.hashed.set(b.n)
	if s.have.has(b.n) {
		b.acked = true
		s.release(b)
	} else if s.flight[b.n] == nil {
		s.flight[b.n] = b
		s.enqueue(b)
	} else {
		b.acked = true
		s.release(b)
	}
	s.wake.Broadcast()
}

// enqueue adds b to pending, which is in the order of the stream. s.mu is held.
func (s *sending) enqueue(b *outBlock) {
	i, _ := slices.BinarySearchFunc(s.pending, b.n, func(other *outBlock, n uint32) int { return cmp.Compare(other.n, n) })
	s.pending = slices.Insert(s.pending, i, b)
}

// settle notes that the receiver has block n. s.mu is held.
func (s *sending) settle(n uint32) {
	if s.have.set(n) {
		s.ackedBytes += s.sizeOf(n)
	}
	b := s.flight[n]
	if b == nil {
		return
	}
	delete(s.flight, n)
	if b.lane != nil {
		b.lane.inflight -= int64(len(b.data))
		b.lane = nil
	} else if i := slices.Index(s.pending, b); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
	}
	b.acked = true
	s.release(b)
}

// acknowledge takes an ack that came on l.
func (s *sending) acknowledge(l *lane, m *ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.flight {
		if m.Blocks.has(n) {
			s.settle(n)
		}
	}
	l.window.arrived(m.Received, l.now())
	l.wire.adapt(l.window.rate, l.window.rtt)
	s.durable = max(s.durable, min(m.Durable, s.ackedBytes))
	s.wake.Broadcast()
}

// repeat sends blocks again that arrived damaged, or that the receiver kept in
// another state than the source is in. A block that is on its way on another
// lane than l needs nothing.
func (s *sending) repeat(l *lane, m *resend) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range m.Blocks {
		if r[1] > s.reading {
			return protocolError("resend of block %d, which was not sent", r[1]-1)
		}
		for n := r[0]; n < r[1]; n++ {
			if b := s.flight[n]; b != nil && b.lane != l {
				continue
			}
			s.resends[n]++
			if s.resends[n] > maxResends {
				return fmt.Errorf("%w: block %d arrived damaged %d times", ErrCorrupt, n, s.resends[n])
			}
			s.unsettle(n)
		}
	}
	s.wake.Broadcast()
	return nil
}

// maxResends is how often one block may be sent again because it arrived
// damaged.
const maxResends = 5

// unsettle makes sure that block n, which was read, is sent again. s.mu is
// held.
func (s *sending) unsettle(n uint32) {
	if s.have.unset(n) {
		s.ackedBytes -= s.sizeOf(n)
	}
	b := s.flight[n]
	switch {
	case b == nil && s.hashed.has(n):
		if !slices.Contains(s.again, n) {
			s.again = append(s.again, n)
		}
	case b != nil && b.lane != nil:
		b.lane.inflight -= int64(len(b.data))
		b.lane = nil
		s.enqueue(b)
	}
}

// adopt takes what the receiver says it holds. fresh means that this is all it
// holds: it knows nothing of earlier acknowledgements.
func (s *sending) adopt(have, check ranges, fresh bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.blocks()
	for _, set := range []ranges{have, check} {
		if k := len(set); k > 0 && int64(set[k-1][1]) > limit {
			return protocolError("receiver holds block %d of %d", set[k-1][1]-1, limit)
		}
	}
	if fresh {
		lost := s.have.ranges()
		s.check = bitmap{}
		for _, r := range lost {
			for n := r[0]; n < r[1]; n++ {
				if !have.has(n) && !check.has(n) {
					if n < s.reading {
						s.unsettle(n)
					} else if s.have.unset(n) {
						s.ackedBytes -= s.sizeOf(n)
					}
				}
			}
		}
	}
	for _, set := range []ranges{have, check} {
		for _, r := range set {
			for n := r[0]; n < r[1]; n++ {
				s.settle(n)
			}
		}
	}
	for _, r := range check {
		for n := r[0]; n < r[1]; n++ {
			s.check.set(n)
		}
	}
	s.wake.Broadcast()
	return nil
}
