package emulator

import (
	"errors"
	"fmt"
	"time"
)

// Limits of a [Config].
const (
	// DefaultMTU is the MTU of a Config that names none, in bytes: Ethernet's.
	DefaultMTU = 1500
	// MinMTU is the least MTU of IPv4 (RFC 791, 3.2), in bytes.
	MinMTU = 68
	// MaxMTU is the largest IPv4 packet, in bytes.
	MaxMTU = 65535
	// MaxRate bounds the rate, in bits per second.
	MaxRate = 100e9
	// MaxTime bounds every duration of a Config.
	MaxTime = time.Hour

	// maxHeld bounds the memory of the packets on their way, in bytes. A
	// packet that would need more is dropped as by a full queue.
	maxHeld = 256 << 20
)

// ErrConfig is matched by every error about a [Config] that cannot be emulated.
var ErrConfig = errors.New("emulator: bad configuration")

// Config describes one direction of a link. The zero value carries packets of
// up to 1,500 bytes unchanged, as fast as the machine can.
//
// Packets pass, in this order, a drop-tail queue, a transmitter of the given
// rate, and a wire, on which the outages, the losses and everything else happen.
// A packet lost on the wire has therefore used its share of the rate.
type Config struct {
	// Rate of the transmitter in bits per second, counting IP packets with
	// their headers and nothing below them. 0: not limited.
	Rate int64

	// Queue is what may wait for the transmitter, in bytes, the packet being
	// transmitted not counted. With a Rate it must be at least one MTU;
	// without one it has no meaning.
	Queue int

	// Delay between the end of transmission and delivery.
	Delay time.Duration

	// Jitter makes the delay wander between Delay-Jitter and Delay+Jitter. It
	// moves at most half a second per second, so that packets stay in order
	// and their mean delay is Delay. At most Delay.
	Jitter time.Duration

	// JitterReorders draws the jitter anew for each packet, uniformly: packets
	// then overtake each other.
	JitterReorders bool

	// Loss of packets on the wire.
	Loss Loss

	// Reorder is the probability with which a packet is held back for
	// ReorderBy, so that the packets behind it overtake it.
	Reorder   float64
	ReorderBy time.Duration

	// Duplicate is the probability with which a packet is sent twice. The
	// second copy takes its share of the queue and of the rate.
	Duplicate float64

	// Corrupt is the probability with which one bit of a packet is flipped,
	// anywhere in it. A checksum finds it, and the packet is lost at the receiver.
	Corrupt float64

	// Outages are times in which the wire carries nothing.
	Outages []Outage

	// MTU is the size of the largest packet that passes, in bytes. 0: [DefaultMTU].
	MTU int

	// Seed of every random decision. Each kind of decision has its own
	// sequence and takes the same number of draws for each packet offered: the
	// n-th packet has the same fate with the same seed, whatever the timing
	// and whatever else is switched on.
	Seed uint64
}

// Loss is the model of Gilbert and Elliott: a channel that is in a good or a
// bad state, and loses packets with another probability in each. The zero value
// loses nothing; with Good alone losses are independent of each other.
type Loss struct {
	// Good and Bad are the probabilities of losing a packet in either state.
	Good, Bad float64
	// GoodToBad and BadToGood are the probabilities, per packet, of changing
	// the state. The mean burst is 1/BadToGood packets long.
	GoodToBad, BadToGood float64
}

// Mean is the share of packets lost in the long run.
func (l Loss) Mean() float64 {
	if l.GoodToBad == 0 {
		return l.Good
	}
	bad := l.GoodToBad / (l.GoodToBad + l.BadToGood)
	return l.Good*(1-bad) + l.Bad*bad
}

// Outage is a time, counted from [New], in which the wire carries nothing.
type Outage struct {
	Start, Length time.Duration
	// Every repeats the outage with this period. 0: it happens once.
	Every time.Duration
}

func (o Outage) covers(t int64) bool {
	t -= int64(o.Start)
	if t < 0 {
		return false
	}
	if o.Every > 0 {
		t %= int64(o.Every)
	}
	return t < int64(o.Length)
}

func (c Config) withDefaults() Config {
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	return c
}

// Validate returns nil, or an error matching [ErrConfig] that names the field.
func (c Config) Validate() error {
	c = c.withDefaults()
	for _, p := range []struct {
		name  string
		value float64
	}{
		{"Loss.Good", c.Loss.Good}, {"Loss.Bad", c.Loss.Bad},
		{"Loss.GoodToBad", c.Loss.GoodToBad}, {"Loss.BadToGood", c.Loss.BadToGood},
		{"Reorder", c.Reorder}, {"Duplicate", c.Duplicate}, {"Corrupt", c.Corrupt},
	} {
		if !(p.value >= 0 && p.value <= 1) {
			return fmt.Errorf("%w: %s is %v, want a probability from 0 to 1", ErrConfig, p.name, p.value)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Delay", c.Delay}, {"Jitter", c.Jitter}, {"ReorderBy", c.ReorderBy}} {
		if d.value < 0 || d.value > MaxTime {
			return fmt.Errorf("%w: %s is %v, want 0 to %v", ErrConfig, d.name, d.value, MaxTime)
		}
	}
	for _, o := range c.Outages {
		if o.Start < 0 || o.Length <= 0 || o.Every < 0 || o.Start > MaxTime || o.Every > MaxTime ||
			o.Length > MaxTime || (o.Every > 0 && o.Every <= o.Length) {
			return fmt.Errorf("%w: outage %+v, want a length above 0 and a period above the length", ErrConfig, o)
		}
	}
	switch {
	case c.MTU < MinMTU || c.MTU > MaxMTU:
		return fmt.Errorf("%w: MTU is %d, want %d to %d bytes", ErrConfig, c.MTU, MinMTU, MaxMTU)
	case c.Rate < 0 || c.Rate > MaxRate:
		return fmt.Errorf("%w: Rate is %d, want 0 to %.0f bit/s", ErrConfig, c.Rate, float64(MaxRate))
	case c.Rate > 0 && c.Queue < c.MTU:
		return fmt.Errorf("%w: Queue is %d bytes, want at least one packet of %d", ErrConfig, c.Queue, c.MTU)
	case c.Jitter > c.Delay:
		return fmt.Errorf("%w: Jitter is %v, want at most the Delay of %v", ErrConfig, c.Jitter, c.Delay)
	case c.Loss.GoodToBad > 0 && c.Loss.BadToGood == 0:
		return fmt.Errorf("%w: Loss.BadToGood is 0: the bad state would never end", ErrConfig)
	case c.Reorder > 0 && c.ReorderBy == 0:
		return fmt.Errorf("%w: Reorder without ReorderBy reorders nothing", ErrConfig)
	}
	return nil
}
