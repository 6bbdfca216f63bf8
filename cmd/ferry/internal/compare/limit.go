package compare

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// From where on something counts as the limit.
const (
	fullLink       = 0.90 // of the link's rate, by packets in the second half of a run
	fullWindow     = 0.75 // of window over round trip
	fullCPU        = 0.85 // of all processors
	stillGrowing   = 1.25 // the last quarter of a run over the one before
	slowStartTrips = 100  // round trips after which no slow start lasts
	mostlyIdle     = 0.5  // of the time, the sender had nothing buffered
	wasteful       = 1.35 // bytes on the wire for each delivered: more than headers and repair of losses
)

// ceilings are the rates that the row cannot exceed, the lowest first.
func (l *lane) ceilings(res result.Result) []result.Ceiling {
	var all []result.Ceiling
	rtt := l.point.rtt()
	if rate := l.point.direction(l.dir).Rate; rate > 0 {
		mb, why := float64(rate)/8e6, fmt.Sprintf("%s on the wire", bits(rate))
		// What arrived over what was delivered is the cost of headers, and of
		// packets that came twice.
		// What a run that was cut off has under way counts as such, too: the
		// run with the least of it is the nearest.
		over := slices.Min(l.each(func(r run) float64 {
			if r.Wire == nil || r.DeliveredBytes == 0 {
				return 2
			}
			return max(1, float64(r.Wire.ArrivedBytes)/float64(r.DeliveredBytes))
		}))
		if res.DeliveredBytes > 0 && res.MBPerS > 0 && over < 2 {
			mb, why = mb/over, fmt.Sprintf("%s on the wire, less %.1f %% for headers and control", bits(rate), 100*(1-1/over))
		}
		all = append(all, result.Ceiling{Name: result.LimitLink, MBPerS: mb, Why: why})
	}
	if window := l.runs[0].window; window > 0 && rtt > 0 {
		all = append(all, result.Ceiling{
			Name: result.LimitWindow, MBPerS: float64(window) / 1e6 / rtt.Seconds(),
			Why: fmt.Sprintf("%.1f MB in flight at most over %v: %s", float64(window)/1e6, rtt, l.runs[0].windowIs),
		})
	}
	slices.SortFunc(all, func(a, b result.Ceiling) int { return cmp.Compare(a.MBPerS, b.MBPerS) })
	return all
}

// limit says what keeps the row from being faster.
func (l *lane) limit(cfg Config, res result.Result) *result.Limit {
	if !res.Verified {
		return nil
	}
	if cfg.Mode != result.Bulk {
		return l.waiting(cfg, res)
	}
	cores := float64(runtime.GOMAXPROCS(0))
	cpu := &result.Limit{
		Name:    result.LimitCPU,
		Why:     fmt.Sprintf("%.1f of %.0f processors at work, %.1f s of them for each GB", res.CPUCores, cores, res.CPUSecondsPerGB),
		Setting: "a faster machine; --chunk-size changes the cost a byte a little",
	}
	if l.outside() > cores/4 {
		cpu.Why += fmt.Sprintf("; other programs took %.1f more", l.outside())
	}
	growing := l.median(func(r run) float64 { return r.growth })
	if res.Seconds > slowStartTrips*l.point.rtt().Seconds() {
		growing = 0 // chance: slow start is long over
	}
	wire := l.dropped()
	switch {
	case l.point.line.Real != nil && res.CPUCores < fullCPU*cores && growing >= stillGrowing:
		return l.reacting(res, wire, growing, cpu)
	case l.point.line.Real != nil && res.CPUCores < fullCPU*cores:
		return &result.Limit{
			Name:    result.LimitPath,
			Why:     fmt.Sprintf("this end had processors to spare (%.1f of %.0f at work); rate, loss and the other end cannot be told apart from here", res.CPUCores, cores),
			Setting: "another transport, if one is faster here; else compare on an emulated link like it (--link) to see what each would need",
		}
	case !l.point.line.Emulated:
		return cpu // nothing else is in the way
	case res.CPUCores+l.outside() > fullCPU*cores && res.LinkUse < fullLink:
		return cpu
	case res.LinkUse >= fullLink && res.WireOverPayload >= wasteful:
		return &result.Limit{
			Name: result.LimitCongestion,
			Why: fmt.Sprintf("the link is full, but %.1f bytes are sent for each one delivered: the sender overruns the queue or repeats what was not lost (%d packets found the queue full)",
				res.WireOverPayload, wire.DroppedQueue),
			Setting: "a lower --high-water, or another transport",
		}
	case res.LinkUse >= fullLink:
		return &result.Limit{
			Name:    result.LimitLink,
			Why:     fmt.Sprintf("packets fill %.0f %% of %s", 100*min(1, res.LinkUse), bits(l.point.direction(l.dir).Rate)),
			Setting: "only a faster link helps",
		}
	}
	for _, c := range res.Ceilings {
		if c.Name == result.LimitWindow && l.steady() >= fullWindow*c.MBPerS {
			return &result.Limit{Name: result.LimitWindow, Why: c.Why, Setting: "a larger window: " + l.runs[0].windowIs}
		}
	}
	return l.reacting(res, wire, growing, cpu)
}

// reacting tells what congestion control reacts to, if that is what it is.
func (l *lane) reacting(res result.Result, wire result.Wire, growing float64, cpu *result.Limit) *result.Limit {
	used := fmt.Sprintf("the link is used to %.0f %%", 100*res.LinkUse)
	if res.LinkUse == 0 {
		used = "the link has no rate"
	}
	share := 0.0
	if wire.Packets > 0 {
		share = float64(wire.DroppedLoss) / float64(wire.Packets+wire.BackPackets)
	}
	switch {
	case wire.DroppedLoss > 0 && growing < stillGrowing:
		why := fmt.Sprintf("%.2g %% of the packets lost on the wire; %s", 100*share, used)
		if square := squareRoot(l.point.spec.RTT(), share); square > 0 {
			why += fmt.Sprintf(". Reno gets about %.2g MB/s out of such a link", square)
		}
		return &result.Limit{
			Name: result.LimitLoss, Why: why,
			Setting: "more connections share the loss (--streams, ws and wss); a congestion control that bears it (--link-kernel --cc bbr); a shorter way",
		}
	case growing >= stillGrowing:
		return &result.Limit{
			Name: result.LimitSlowStart, Why: fmt.Sprintf("the rate still grew by %.0f %% in the last quarter; %s", 100*(growing-1), used),
			Setting: "longer runs (--run-time, --size): a long transfer will be faster than this",
		}
	case wire.DroppedQueue > 0:
		return &result.Limit{
			Name: result.LimitCongestion, Why: fmt.Sprintf("%d packets found the queue full and the sender slowed down; %s", wire.DroppedQueue, used),
			Setting: "a longer queue at the bottleneck (queue=), or another congestion control (--cc); longer runs (--run-time) tell whether it recovers",
		}
	case res.CPUCores > 0.6*float64(runtime.GOMAXPROCS(0)):
		return cpu
	case l.median(func(r run) float64 { return r.idle }) > mostlyIdle:
		return &result.Limit{
			Name: result.LimitApplication, Why: "the channel had nothing to send most of the time; " + used,
			Setting: "a faster source, a higher --high-water or larger --chunk-size",
		}
	}
	return &result.Limit{
		Name: result.LimitApplication, Why: "no loss, no full queue, no full window; " + used,
		Setting: "longer runs (--run-time) first; then --high-water, --chunk-size and --streams",
	}
}

// waiting is the limit where one thing waits for another.
func (l *lane) waiting(cfg Config, res result.Result) *result.Limit {
	rtt := l.point.spec.RTT()
	p50 := time.Duration(res.Latency.P50 * float64(time.Second)).Round(10 * time.Microsecond)
	if rtt == 0 {
		return &result.Limit{
			Name: result.LimitCPU, Why: fmt.Sprintf("%v each, without a link in between", p50),
			Setting: "a faster machine",
		}
	}
	if rate := l.point.direction(l.dir).Rate; rate > 0 && cfg.Mode == result.Messages {
		wire := time.Duration(float64(cfg.MessageBytes) * 8 / float64(rate) * float64(time.Second)).Round(10 * time.Microsecond)
		if wire > p50/2 {
			return &result.Limit{
				Name:    result.LimitLink,
				Why:     fmt.Sprintf("of %v the link needs %v to carry %d bytes at %s, and the round trip is %v", p50, wire, cfg.MessageBytes, bits(rate), rtt),
				Setting: "smaller messages or a faster link",
			}
		}
	}
	trips := p50.Seconds() / rtt.Seconds()
	limit := &result.Limit{
		Name:    result.LimitRoundTrips,
		Why:     fmt.Sprintf("%v is %.1f round trips of %v", p50, trips, rtt),
		Setting: "send the next before the answer is there (--streams), smaller messages, or a nearer peer",
	}
	if cfg.Mode == result.Open {
		limit.Setting = "keep connections and open channels on them; resume TLS sessions"
	}
	return limit
}

// median is that of a value of the runs.
func (l *lane) median(value func(run) float64) float64 { return stats.Median(l.each(value)) }

// outside is how many processors other programs used.
func (l *lane) outside() float64 { return l.median(func(r run) float64 { return r.outside }) }

// steady is the rate in the second half, without slow start.
func (l *lane) steady() float64 {
	return l.median(func(r run) float64 {
		if n := len(r.Throughput); n >= 2 {
			return stats.Mean(r.Throughput[n/2:])
		}
		return r.MBPerS
	})
}

// dropped adds up the drops of all runs.
func (l *lane) dropped() (sum result.Wire) {
	for _, r := range l.runs {
		if r.Wire != nil {
			sum.Packets += r.Wire.Packets
			sum.BackPackets += r.Wire.BackPackets
			sum.DroppedLoss += r.Wire.DroppedLoss
			sum.DroppedQueue += r.Wire.DroppedQueue
			sum.Late += r.Wire.Late
		}
	}
	return sum
}

// squareRoot is the rate that Reno reaches in MB/s with random loss (Mathis et
// al. 1997), for segments of 1,448 bytes, each acknowledged; 0 if it says
// nothing.
func squareRoot(rtt time.Duration, loss float64) float64 {
	if rtt <= 0 || loss <= 0 {
		return 0
	}
	return 1448 / 1e6 / rtt.Seconds() * math.Sqrt(1.5/loss)
}

// bits writes a rate as links have it.
func bits(rate int64) string {
	switch {
	case rate >= 1e9:
		return fmt.Sprintf("%.4g Gbit/s", float64(rate)/1e9)
	case rate >= 1e6:
		return fmt.Sprintf("%.4g Mbit/s", float64(rate)/1e6)
	default:
		return fmt.Sprintf("%.4g kbit/s", float64(rate)/1e3)
	}
}
