package report

import (
	"math"

	"gonum.org/v1/plot"
)

// ticks puts about so many round numbers on a linear axis.
type ticks int

// Ticks implements plot.Ticker.
func (n ticks) Ticks(lo, hi float64) []plot.Tick {
	rough := (hi - lo) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * unit
	for _, s := range []float64{1, 2, 5} {
		if s*unit >= rough*0.999 {
			step = s * unit
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi*1.0001; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: digits3(i * step)})
	}
	return out
}

// logTicks puts 1, 2 and 5 of each decade on a logarithmic axis, or only the
// decades if there are many; none where another is near.
type logTicks struct{ label func(float64) string }

// Ticks implements plot.Ticker.
func (l logTicks) Ticks(lo, hi float64) []plot.Tick {
	factors := []float64{1, 2, 5}
	switch decades := math.Log10(hi / lo); {
	case decades > 2.2:
		factors = factors[:1]
	case decades > 1.3:
		factors = []float64{1, 3}
	case decades < 0.9:
		factors = []float64{1, 1.5, 2, 3, 4, 5, 7}
	}
	const apart = 0.13 // of the axis, so that labels have room
	place := func(v float64) float64 { return math.Log(v/lo) / math.Log(hi/lo) }
	var out []plot.Tick
	last := 0.05 - apart
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, f := range factors {
			if v := f * math.Pow(10, e); v <= hi*1.0001 && place(v)-last >= apart {
				last = place(v)
				out = append(out, plot.Tick{Value: v, Label: l.label(v)})
			}
		}
	}
	return out
}

// logRange widens lo..hi to what logTicks can label at both ends.
func logRange(lo, hi float64) (float64, float64) {
	return lo / 1.15, math.Max(hi*1.15, lo*2.5)
}
