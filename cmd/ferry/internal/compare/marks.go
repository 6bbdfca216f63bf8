package compare

import (
	"fmt"
	"runtime"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// marks are the reasons to doubt a row.
func (l *lane) marks(res result.Result) []result.Mark {
	var all []result.Mark
	mark := func(name, format string, args ...any) {
		all = append(all, result.Mark{Name: name, Text: fmt.Sprintf(format, args...)})
	}
	if res.Limit != nil && res.Limit.Name == result.LimitSlowStart {
		mark(result.MarkSlowStart, "the rate was still growing when the run ended")
	}
	emulator := l.median(func(r run) float64 { return r.EmulatorSeconds / r.Seconds })
	wire := l.dropped()
	switch {
	case emulator > 0.5:
		mark(result.MarkEmulator, "the emulator took %.1f of a processor: the link may be slower than it says", emulator)
	case wire.Late*100 > wire.Packets+wire.BackPackets:
		mark(result.MarkEmulator, "%.0f %% of the packets came more than 1 ms late: the machine did not keep up with the link",
			100*float64(wire.Late)/float64(max(1, wire.Packets+wire.BackPackets)))
	}
	cores := float64(runtime.GOMAXPROCS(0))
	if l.point.line.Emulated && res.CPUCores > fullCPU*cores {
		mark(result.MarkCPU, "this machine was the limit, not the link")
	}
	if l.outside() > cores/4 {
		mark(result.MarkBusy, "other programs used %.1f of %.0f processors", l.outside(), cores)
	}
	if res.Uncertainty > wideUncertainty && res.Role == result.Transport {
		mark(result.MarkSpread, "the median is good to ±%.0f %% after %d runs", 100*res.Uncertainty, len(l.runs))
	}
	if len(l.runs) < l.want {
		mark(result.MarkFewRuns, "%d runs of %d: the time was up (--max-time)", len(l.runs), l.want)
	}
	if first, some := l.outage(); some && first > time.Duration(res.Seconds*float64(time.Second)) {
		mark(result.MarkOutage, "the link is interrupted first after %v, which the runs did not see", first)
	}
	return all
}

// outage is when the link is interrupted for the first time.
func (l *lane) outage() (first time.Duration, some bool) {
	for _, o := range l.point.direction(l.dir).Outages {
		if !some || o.Start < first {
			first, some = o.Start, true
		}
	}
	return first, some
}

// notes are what a reader must know before the figures.
func notes(r *result.Report) []string {
	var all []string
	seen := map[string]bool{}
	var controls []string
	for _, res := range r.Results {
		if l, _ := r.FindLink(res.Link); l.Kind == "loopback" {
			continue // nothing is congested
		}
		if res.Role == result.Transport && !seen[res.Congestion] {
			seen[res.Congestion] = true
			controls = append(controls, fmt.Sprintf("%s by %s", res.Transport, res.Congestion))
		}
	}
	if len(controls) > 1 {
		all = append(all, "Congestion control is not the same: "+join(controls)+".")
	}
	for _, l := range r.Links {
		if l.Kind == "loopback" {
			all = append(all, "Loopback has no delay and no loss, and TCP packets of 64 KiB: it ranks what the processor spends.")
		}
	}
	return all
}
