package dcchan

// ledger turns pion's count of bytes into ours. pion counts the message that
// opens the channel (RFC 8832) and one byte for each empty message; we count
// payload. Bytes leave pion's count in the order in which they entered it,
// nearly: retransmissions may overtake, which shifts our count by an empty
// message for a moment.
type ledger struct {
	written  uint64 // what pion has counted up to now
	overhead uint64 // what of it is outstanding and not payload
	ring     []mark // the outstanding messages
	head, n  int
}

// mark is the end of one message in the stream of bytes that pion counts.
type mark struct {
	end      uint64
	overhead uint32
}

func (l *ledger) add(size, overhead int) {
	l.written += uint64(size + overhead)
	l.overhead += uint64(overhead)
	if l.n == len(l.ring) {
		grown := make([]mark, max(64, 2*len(l.ring)))
		k := copy(grown, l.ring[l.head:])
		copy(grown[k:], l.ring[:l.head])
		l.ring, l.head = grown, 0
	}
	l.ring[(l.head+l.n)%len(l.ring)] = mark{l.written, uint32(overhead)}
	l.n++
}

// payload is how many of the counted bytes are payload.
func (l *ledger) payload(counted uint64) int {
	for l.n > 0 && l.ring[l.head].end+counted <= l.written {
		l.overhead -= uint64(l.ring[l.head].overhead)
		l.head = (l.head + 1) % len(l.ring)
		l.n--
	}
	return max(0, int(counted)-int(l.overhead))
}
