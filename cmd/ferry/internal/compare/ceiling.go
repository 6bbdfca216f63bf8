package compare

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// ceilings are the rates that the row cannot exceed, the lowest first.
func (l *lane) ceilings() []result.Ceiling {
	var all []result.Ceiling
	if rate := l.point.direction(l.dir).Rate; rate > 0 {
		full := float64(rate) / 8e6
		// What arrived over what was delivered is the cost of headers, of packets
		// that came twice, and of those behind a gap when the run was cut off. The
		// run with the least of it is the nearest.
		over := slices.Min(l.each(func(r run) float64 { return r.headers(full) }))
		c := result.Ceiling{Name: result.LimitLink, MBPerS: full, Why: fmt.Sprintf("%s on the wire", bitRate(rate))}
		if over < 2 {
			c.MBPerS /= over
			c.Why = fmt.Sprintf("%s on the wire, less %.1f %% for headers and control", bitRate(rate), 100*(1-1/over))
		}
		all = append(all, c)
	}
	if w, rtt := l.runs[0].window, l.point.rtt(); w.Bytes > 0 && rtt > 0 {
		all = append(all, result.Ceiling{
			Name: result.LimitWindow, MBPerS: float64(w.Bytes) / 1e6 / rtt.Seconds(),
			Why: fmt.Sprintf("at most %s are under way in a round trip of %v: %s", size.Bytes(w.Bytes), rtt, w.Is),
		})
	}
	slices.SortFunc(all, func(a, b result.Ceiling) int { return cmp.Compare(a.MBPerS, b.MBPerS) })
	return all
}

// headers is the bytes that arrived for each one delivered, on a link of so many
// MB/s; 2 if that says nothing. Counting ends a moment after the last delivered
// byte, and no more than the link carries can have arrived until then.
func (r run) headers(full float64) float64 {
	if r.Wire == nil || r.DeliveredBytes == 0 {
		return 2
	}
	arrived := min(float64(r.Wire.ArrivedBytes), full*1e6*r.Seconds)
	return max(1, arrived/float64(r.DeliveredBytes))
}

// fullness is the share of window over round trip from which on a window counts
// as full.
func fullness(w carrier.Window) float64 {
	if w.Refilled {
		return fullRefilled
	}
	return fullWindow
}

// bdp is what the link holds in the direction of the payload, without its
// queue, in bytes; 0: no rate.
func (l *lane) bdp() int {
	return int(float64(l.point.direction(l.dir).Rate) / 8 * l.point.rtt().Seconds())
}

// enough is a window that the link cannot outgrow: twice what it holds, or twice
// what there is, rounded up to a power of two.
func (l *lane) enough(window int) string {
	return flagSize(max(2*l.bdp(), window+1))
}

// lessUnderWay is the advice to a sender that overruns the link: the mark that
// the link and its queue hold, if that is lower than the one it has.
func (l *lane) lessUnderWay(highWater int) string {
	queue, down := l.point.spec.QueueBytes()
	if l.dir == result.Down {
		queue = down
	}
	holds := max(1<<(bits.Len(uint(l.bdp()+queue))-1), 2*l.point.options.ChunkSize)
	if highWater == 0 || holds >= highWater {
		return "another transport"
	}
	return fmt.Sprintf("--high-water %s, as the link and its queue hold no more; or another transport", flagSize(holds))
}

// flagSize writes n, rounded up to a power of two, as a flag takes it.
func flagSize(n int) string {
	return strings.ReplaceAll(size.Bytes(1<<bits.Len(uint(max(1, n)-1))).String(), " ", "")
}

// bitRate writes a rate as links have it.
func bitRate(rate int64) string {
	switch {
	case rate >= 1e9:
		return fmt.Sprintf("%.4g Gbit/s", float64(rate)/1e9)
	case rate >= 1e6:
		return fmt.Sprintf("%.4g Mbit/s", float64(rate)/1e6)
	default:
		return fmt.Sprintf("%.4g kbit/s", float64(rate)/1e3)
	}
}
