package emulator

import "time"

// Count is a number of packets and of their bytes, IP headers included.
type Count struct {
	Packets, Bytes int64
}

func (c *Count) add(size int) {
	c.Packets++
	c.Bytes += int64(size)
}

// Stats is what a [Pipe] has done so far. Offered + Duplicated = Delivered +
// InFlight + the drops.
type Stats struct {
	Offered    Count // given to Send
	Duplicated Count // second copies, made by Config.Duplicate
	Delivered  Count // handed to the receiver, damaged ones included
	InFlight   Count // in the queue or on the wire

	// The drops, by reason.
	DroppedQueue  Count // the queue was full
	DroppedLoss   Count // lost on the wire by Config.Loss
	DroppedOutage Count // on the wire in an outage
	DroppedMTU    Count // larger than the MTU

	Corrupted Count // damaged and carried on
	Reordered Count // held back by Config.Reorder

	// QueueHigh is the most that ever waited for the transmitter, in bytes.
	QueueHigh int

	// Late counts the packets handed over more than a millisecond after their
	// time, and MaxLate is the worst of them. They tell whether the machine
	// kept up: what was measured over a late link is not a property of the link.
	Late    int64
	MaxLate time.Duration

	// CPU is the processor time spent in the Pipe itself, the receiver's
	// function not included. It is sampled. Where the system cannot tell
	// (outside Linux) it is elapsed time, which is never less.
	CPU time.Duration
}

// Dropped is the sum of the drops.
func (s Stats) Dropped() Count {
	var sum Count
	for _, c := range []Count{s.DroppedQueue, s.DroppedLoss, s.DroppedOutage, s.DroppedMTU} {
		sum.Packets += c.Packets
		sum.Bytes += c.Bytes
	}
	return sum
}
