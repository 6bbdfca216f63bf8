package compare

import (
	"cmp"
	"fmt"
	"runtime"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// From where on something counts as the limit.
const (
	fullLink     = 0.90 // of the link's rate, by packets in the second half of a run
	lateFull     = 0.85 // of the link's ceiling: what a run that filled it from the beginning reaches
	spedUp       = 0.95 // of the rate in the second half: what a run that was slower at first does not reach
	fullWindow   = 0.75 // of window over round trip
	fullRefilled = 0.70 // the same of a window that is drained by an eighth before it is refilled
	fullCPU      = 0.85 // of all processors
	stillGrowing = 1.25 // the last quarter of a run over the one before
	growingTrips = 100  // round trips after which no slow start lasts
	mostlyIdle   = 0.5  // of the time, the sender had nothing buffered
	wasteful     = 1.35 // bytes carried for each delivered: more than headers and repair of losses
)

// limit says what keeps the row from being faster.
func (l *lane) limit(cfg Config, res result.Result) *result.Limit {
	if !res.Verified {
		return nil
	}
	if cfg.Mode != result.Bulk {
		return l.waiting(cfg, res)
	}
	cores := float64(runtime.GOMAXPROCS(0))
	share := 0.0 // of what the link can deliver
	for _, c := range res.Ceilings {
		if c.Name == result.LimitLink {
			share = res.MBPerS / c.MBPerS
		}
	}
	crowded := res.CPUCores+l.outside() > fullCPU*cores
	busy := crowded && res.CPUCores > cores/2
	switch {
	case l.point.line.Real != nil && !busy:
		return l.path(res, cores)
	case !l.point.line.Emulated, busy && res.LinkUse < fullLink && share < fullLink:
		return l.processor(res, cores) // on loopback nothing else is in the way
	case res.LinkUse >= fullLink || share >= fullLink:
		return l.full(res, share)
	case crowded:
		return &result.Limit{
			Name: result.LimitCPU,
			Why: fmt.Sprintf("other programs took %.1f of %.0f processors, and %.0f %% of the packets came late: the row says more of this machine than of the link",
				l.outside(), cores, 100*l.late()),
			Setting: "repeat it on a quiet machine",
		}
	}
	for _, c := range res.Ceilings {
		if c.Name == result.LimitWindow && l.steady() >= fullness(l.runs[0].window)*c.MBPerS {
			return l.window(c.Why)
		}
	}
	return l.reacting(res)
}

func (l *lane) window(why string) *result.Limit {
	w := l.runs[0].window
	return &result.Limit{Name: result.LimitWindow, Why: why, Setting: fmt.Sprintf(w.Setting, l.enough(w.Bytes))}
}

// processor is the limit where the machine has no more to give.
func (l *lane) processor(res result.Result, cores float64) *result.Limit {
	why := fmt.Sprintf("%.1f of %.0f processors at work, %.1f s of them for each GB", res.CPUCores, cores, res.CPUSecondsPerGB)
	if o := l.outside(); o > cores/8 {
		why += fmt.Sprintf("; other programs took %.1f more", o)
	}
	return &result.Limit{Name: result.LimitCPU, Why: why, Setting: "a faster machine; --chunk-size changes the cost a byte a little"}
}

// path is the limit on a real network.
func (l *lane) path(res result.Result, cores float64) *result.Limit {
	if g := l.growing(res); g >= stillGrowing {
		return slowStart(g, "")
	}
	return &result.Limit{
		Name:    result.LimitPath,
		Why:     fmt.Sprintf("this end had processors to spare (%.1f of %.0f at work); rate, loss and the other end cannot be told apart from here", res.CPUCores, cores),
		Setting: "another transport, if one is faster here; else compare on an emulated link like it (--link) to see what each would need",
	}
}

// full is the limit where packets fill the link.
func (l *lane) full(res result.Result, share float64) *result.Limit {
	rate := bitRate(l.point.direction(l.dir).Rate)
	switch {
	case res.WireOverPayload >= wasteful:
		return &result.Limit{
			Name: result.LimitCongestion,
			Why: fmt.Sprintf("packets fill the link, but %.1f bytes are carried for each one delivered: the sender overran the queue (%d packets found it full), and what follows a lost packet waits for it, or is sent twice",
				res.WireOverPayload, l.dropped().DroppedQueue),
			Setting: l.lessUnderWay(res.HighWater),
		}
	case share < lateFull && res.MBPerS < spedUp*l.steady() && res.Seconds < growingTrips*l.point.rtt().Seconds():
		return &result.Limit{
			Name: result.LimitSlowStart,
			Why: fmt.Sprintf("packets fill %s in the second half of the run, at %.3g MB/s; before that, the connection was still speeding up",
				rate, min(l.steady(), res.MBPerS/share)),
			Setting: longer,
		}
	}
	return &result.Limit{
		Name:    result.LimitLink,
		Why:     fmt.Sprintf("packets fill %.0f %% of %s", 100*min(1, max(res.LinkUse, share)), rate),
		Setting: "only a faster link helps",
	}
}

// longer is the advice against a start that takes a large part of a run.
const longer = "a larger file or one connection for many (--run-time shows it)"

func slowStart(growing float64, used string) *result.Limit {
	return &result.Limit{
		Name: result.LimitSlowStart, Why: fmt.Sprintf("the connection was still speeding up when the run ended, by %.0f %% in the last quarter%s", 100*(growing-1), used),
		Setting: longer,
	}
}

// growing is how much faster the end of the runs was than the time before; 0
// where slow start is long over, and any difference is chance.
func (l *lane) growing(res result.Result) float64 {
	if res.Seconds > growingTrips*l.point.rtt().Seconds() {
		return 0
	}
	return l.median(func(r run) float64 { return r.growth })
}

// reacting tells what congestion control reacts to, if that is what it is.
func (l *lane) reacting(res result.Result) *result.Limit {
	used := fmt.Sprintf("; %.0f %% of the link is used", 100*res.LinkUse)
	if res.LinkUse == 0 {
		used = "; the link has no rate"
	}
	wire := l.dropped()
	growing := l.growing(res)
	switch {
	case wire.DroppedLoss > 0 && growing < stillGrowing:
		share := float64(wire.DroppedLoss) / float64(max(1, wire.Packets+wire.BackPackets))
		return &result.Limit{
			Name: result.LimitLoss,
			Why:  fmt.Sprintf("%.2g %% of the packets are lost on the wire, and congestion control slows down at each loss%s", 100*share, used),
			Setting: l.overTCP("--streams 4, as four connections share the loss; a congestion control that bears it (--link-kernel --cc bbr); a better signal",
				"several connections at once, each with its own congestion control; a better signal"),
		}
	case growing >= stillGrowing:
		return slowStart(growing, used)
	case wire.DroppedQueue > 0:
		return &result.Limit{
			Name: result.LimitCongestion, Why: fmt.Sprintf("%d packets found the queue of the link full, and congestion control slowed down too far or too long%s", wire.DroppedQueue, used),
			Setting: l.overTCP("a larger file, which gives it time to recover (--run-time shows it); another congestion control (--cc); a longer queue at the bottleneck (queue=)",
				"a larger file, which gives it time to recover (--run-time shows it); a longer queue at the bottleneck (queue=)"),
		}
	case l.median(func(r run) float64 { return r.idle }) > mostlyIdle:
		return &result.Limit{
			Name: result.LimitApplication, Why: "the sender had nothing to send most of the time" + used,
			Setting: "a faster source, a higher --high-water or larger --chunk-size",
		}
	}
	if res.MBPerS < lateFull*l.steady() && res.Seconds < growingTrips*l.point.rtt().Seconds() {
		return &result.Limit{
			Name:    result.LimitSlowStart,
			Why:     fmt.Sprintf("the second half of the run had %.3g MB/s; before that, the connection was still speeding up%s", l.steady(), used),
			Setting: longer,
		}
	}
	under := fmt.Sprintf("about %s are under way where the link holds %s", size.Bytes(l.steady()*1e6*l.point.rtt().Seconds()), size.Bytes(l.bdp()))
	if w := l.runs[0].window; w.Refilled && w.Bytes < 2*l.bdp() {
		return l.window(fmt.Sprintf("%s, without a loss or a full queue%s: at %s, %s, the sender waits until a quarter of them is left",
			under, used, size.Bytes(w.Bytes), w.Is))
	}
	why := fmt.Sprintf("congestion control is timid: %s, without a loss or a full queue%s", under, used)
	if l.point.direction(l.dir).Jitter > 0 && !l.runs[0].window.Refilled {
		why += ". It takes the jitter of the delay for a queue that fills, and stops speeding up (hybrid slow start)"
	}
	return &result.Limit{
		Name: result.LimitCongestion, Why: why,
		Setting: l.overTCP("a larger file, which gives it time to grow (--run-time shows it); more connections (--streams 4); another congestion control (--cc reno)",
			"a larger file, which gives it time to grow (--run-time shows it)"),
	}
}

// overTCP is the first advice for carriers over TCP, and the second for others.
func (l *lane) overTCP(tcp, other string) string {
	if name := cmp.Or(l.carrier.Of, l.carrier.Name); name == "ws" || name == "wss" {
		return tcp
	}
	return other
}

// waiting is the limit where one thing waits for another.
func (l *lane) waiting(cfg Config, res result.Result) *result.Limit {
	rtt := l.point.rtt()
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
				Why:     fmt.Sprintf("of %v the link needs %v to carry %d bytes at %s, and the round trip is %v", p50, wire, cfg.MessageBytes, bitRate(rate), rtt),
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
