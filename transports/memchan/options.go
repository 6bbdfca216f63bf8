package memchan

import (
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// Options shape both directions of a link. The zero value of every field is
// its documented default.
type Options struct {
	// Label is what Properties.Label reports on both ends.
	Label string

	// MaxMessageSize is the largest payload in bytes. Default 1 MiB, at least
	// transport.MessageSizeFloor.
	MaxMessageSize int

	// MaxBuffered is the capacity of each end's send queue in payload bytes.
	// Default 4 MiB, at least MaxMessageSize.
	MaxBuffered int

	// ReceiveBuffer is the capacity of each end's inbox in payload bytes.
	// Default 1 MiB, at least MaxMessageSize.
	ReceiveBuffer int

	// Latency is the time a message takes one way. Default none.
	Latency time.Duration

	// Rate is the speed of each direction in bytes per second. Default
	// unlimited.
	Rate int

	// Loss is the probability, from 0 to 1, that a message is lost. Above 0
	// the channel declares itself not reliable.
	Loss float64

	// Unordered lets messages overtake each other; the channel declares it.
	Unordered bool

	// Seed makes loss and order repeatable: the same seed and the same calls
	// give the same fate to each message.
	Seed uint64

	// CloseTimeout is how long Close waits for a peer that takes nothing.
	// Default 10 s.
	CloseTimeout time.Duration

	// DeadPeer is the time after Cut at which both ends notice. Default never.
	DeadPeer time.Duration
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	setDefault(&out.MaxMessageSize, 1<<20)
	setDefault(&out.MaxBuffered, 4<<20)
	setDefault(&out.ReceiveBuffer, 1<<20)
	setDefault(&out.CloseTimeout, 10*time.Second)
	out.MaxMessageSize = max(out.MaxMessageSize, transport.MessageSizeFloor)
	out.MaxBuffered = max(out.MaxBuffered, out.MaxMessageSize)
	out.ReceiveBuffer = max(out.ReceiveBuffer, out.MaxMessageSize)
	return out
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
