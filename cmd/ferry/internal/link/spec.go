package link

import (
	"fmt"
	"math"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// Spec describes a link between a client and a server. The zero value carries
// packets of 1,500 bytes unchanged, as fast as the machine can. [ParseSpec]
// reads it from text, String writes it.
type Spec struct {
	Up, Down Direction // from the client to the server, and back
	MTU      int       // of both directions, in bytes; 0: emulator.DefaultMTU
}

// Direction describes one direction of a link. The fields are those of
// [emulator.Config], except Queue.
type Direction struct {
	Rate           int64 // bits/s, IP headers included; 0: not limited
	Queue          Queue
	Delay          time.Duration // one way
	Jitter         time.Duration
	JitterReorders bool
	Loss           emulator.Loss
	Reorder        float64
	ReorderBy      time.Duration
	Duplicate      float64
	Corrupt        float64
	Outages        []emulator.Outage
}

// Queue is the size of the bottleneck's queue, in one of three units. The zero
// value is one bandwidth-delay product.
type Queue struct {
	Bytes int           // in bytes
	BDP   float64       // in products of the direction's rate and the link's round trip
	Time  time.Duration // in the time it takes to drain
}

// minQueue is the least a Queue in BDP or Time amounts to, in packets of the
// MTU: below it a burst of the smallest congestion window (RFC 6928) is cut.
const minQueue = 10

// maxQueue bounds a queue, in bytes.
const maxQueue = 1 << 30

func (q Queue) bytes(rate int64, rtt time.Duration, mtu int) int {
	if q.Bytes > 0 {
		return q.Bytes
	}
	seconds := q.Time.Seconds()
	if q.Time == 0 {
		bdp := q.BDP
		if bdp == 0 {
			bdp = 1
		}
		seconds = bdp * rtt.Seconds()
	}
	bytes := math.Ceil(seconds * float64(rate) / 8)
	return int(min(max(bytes, float64(minQueue*mtu)), maxQueue))
}

// RTT is the round-trip delay without queueing and jitter.
func (s Spec) RTT() time.Duration { return s.Up.Delay + s.Down.Delay }

// QueueBytes is the size of the queue of each direction in bytes; 0 where the
// rate is not limited.
func (s Spec) QueueBytes() (up, down int) {
	u, d := s.configs(0)
	return u.Queue, d.Queue
}

// BDP is the larger bandwidth-delay product of the two directions in bytes: what
// a sender must have in flight to fill the link. 0: the rate is not limited.
func (s Spec) BDP() int {
	return int(float64(max(s.Up.Rate, s.Down.Rate)) / 8 * s.RTT().Seconds())
}

// Configs returns what the two directions do, with random decisions that
// depend on the seed. The error matches [emulator.ErrConfig].
func (s Spec) Configs(seed uint64) (up, down emulator.Config, err error) {
	up, down = s.configs(seed)
	if err := up.Validate(); err != nil {
		return up, down, fmt.Errorf("link: up: %w", err)
	}
	if err := down.Validate(); err != nil {
		return up, down, fmt.Errorf("link: down: %w", err)
	}
	return up, down, nil
}

func (s Spec) configs(seed uint64) (up, down emulator.Config) {
	// The directions have different sequences, whatever the seeds compared.
	return s.Up.config(s, 2*seed), s.Down.config(s, 2*seed+1)
}

func (d Direction) config(s Spec, seed uint64) emulator.Config {
	mtu := s.MTU
	if mtu == 0 {
		mtu = emulator.DefaultMTU
	}
	c := emulator.Config{
		Rate:           d.Rate,
		Delay:          d.Delay,
		Jitter:         d.Jitter,
		JitterReorders: d.JitterReorders,
		Loss:           d.Loss,
		Reorder:        d.Reorder,
		ReorderBy:      d.ReorderBy,
		Duplicate:      d.Duplicate,
		Corrupt:        d.Corrupt,
		Outages:        d.Outages,
		MTU:            mtu,
		Seed:           seed,
	}
	if d.Rate > 0 {
		c.Queue = d.Queue.bytes(d.Rate, s.RTT(), mtu)
	}
	return c
}
