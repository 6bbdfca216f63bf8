package emulator

import "math/rand/v2"

// The random sequences of a Pipe, one for each kind of decision.
const (
	streamLoss = iota
	streamJitter
	streamReorder
	streamDuplicate
	streamCorrupt
)

// fate is what chance holds for one packet.
type fate struct {
	lost, held, twice bool
	jitter            float64 // -1 to 1, for Config.JitterReorders
	flip              int64   // the bit to flip, counted modulo the packet's, or -1
}

// dice draws fates. The n-th is a function of the Config and n alone.
type dice struct {
	cfg                                      *Config
	loss, jitter, reorder, duplicate, damage *rand.Rand
	bad                                      bool // the state of Config.Loss
}

func newDice(cfg *Config) *dice {
	sequence := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(cfg.Seed, stream)) }
	return &dice{
		cfg:       cfg,
		loss:      sequence(streamLoss),
		jitter:    sequence(streamJitter),
		reorder:   sequence(streamReorder),
		duplicate: sequence(streamDuplicate),
		damage:    sequence(streamCorrupt),
	}
}

func (d *dice) next() fate {
	f := fate{flip: -1}
	f.lost = d.nextLoss()
	f.held = d.cfg.Reorder > 0 && d.reorder.Float64() < d.cfg.Reorder
	f.twice = d.cfg.Duplicate > 0 && d.duplicate.Float64() < d.cfg.Duplicate
	if d.cfg.JitterReorders {
		f.jitter = 2*d.jitter.Float64() - 1
	}
	if d.cfg.Corrupt > 0 {
		hit, bit := d.damage.Float64() < d.cfg.Corrupt, d.damage.Int64()
		if hit {
			f.flip = bit
		}
	}
	return f
}

func (d *dice) nextLoss() bool {
	l := &d.cfg.Loss
	if l.GoodToBad > 0 {
		change := d.loss.Float64()
		if d.bad {
			d.bad = change >= l.BadToGood
		} else {
			d.bad = change < l.GoodToBad
		}
	}
	p := l.Good
	if d.bad {
		p = l.Bad
	}
	return p > 0 && d.loss.Float64() < p
}

// drift is a delay that wanders between -jitter and +jitter: straight lines
// between random points, far enough apart that it changes by half a second per
// second at most. Packets that follow each other therefore stay in order.
func drift(seed uint64, jitter, t int64) int64 {
	const slowest = 10e6 // ns between points, so that small jitters are no noise
	step := max(4*jitter, slowest)
	n := t / step
	from, to := point(seed, n), point(seed, n+1)
	along := float64(t%step) / float64(step)
	return int64(float64(jitter) * (from + (to-from)*along))
}

// point is the n-th of a random sequence, uniform in -1 to 1.
func point(seed uint64, n int64) float64 {
	var g rand.PCG
	g.Seed(seed+streamJitter, uint64(n))
	return 2*float64(g.Uint64()>>11)/(1<<53) - 1
}
