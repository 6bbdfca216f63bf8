package compare

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// Shares from which on the machine is a reason to doubt.
const (
	muchEmulation = 0.5  // of a processor
	muchLate      = 0.01 // of the packets
	muchOutside   = 0.25 // of all processors
)

// emulation is the share of a processor that the emulator took.
func (l *lane) emulation() float64 {
	return l.median(func(r run) float64 { return r.EmulatorSeconds / r.Seconds })
}

// late is the share of the packets that the emulator handed over late.
func (l *lane) late() float64 {
	wire := l.dropped()
	return float64(wire.Late) / float64(max(1, wire.Packets+wire.BackPackets))
}

// marks are the reasons to doubt a row.
func (l *lane) marks(res result.Result) []result.Mark {
	var all []result.Mark
	mark := func(name, format string, args ...any) {
		all = append(all, result.Mark{Name: name, Text: fmt.Sprintf(format, args...)})
	}
	if res.Limit != nil && res.Limit.Name == result.LimitSlowStart {
		mark(result.MarkSlowStart, "a longer run would be faster")
	}
	switch {
	case l.emulation() > muchEmulation:
		mark(result.MarkEmulator, "the emulator took %.1f of a processor: the link may be slower than it says", l.emulation())
	case l.late() > muchLate:
		mark(result.MarkEmulator, "%.0f %% of the packets came more than 1 ms late: the machine did not keep up with the link", 100*l.late())
	}
	cores := float64(runtime.GOMAXPROCS(0))
	if l.point.line.Emulated && res.CPUCores > fullCPU*cores {
		mark(result.MarkCPU, "this machine was the limit, not the link")
	}
	if l.outside() > muchOutside*cores {
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

// doubts says once, with the worst case, what marks say of the machine.
func doubts(lanes []*lane, rows []result.Result) []result.Mark {
	marked := func(name string) (n int) {
		for _, res := range rows {
			if slices.ContainsFunc(res.Marks, func(m result.Mark) bool { return m.Name == name }) {
				n++
			}
		}
		return n
	}
	worst := func(share func(*lane) float64) (most float64) {
		for _, l := range lanes {
			if l.err == nil && len(l.runs) > 0 {
				most = max(most, share(l))
			}
		}
		return most
	}
	var all []result.Mark
	doubt := func(name, format string, args ...any) {
		n := marked(name)
		if n == 0 {
			return
		}
		where := "in all rows"
		if n < len(rows) {
			where = fmt.Sprintf("in %d of %d rows", n, len(rows))
		}
		all = append(all, result.Mark{Name: name, Text: where + " " + fmt.Sprintf(format, args...)})
	}
	cores := float64(runtime.GOMAXPROCS(0))
	doubt(result.MarkBusy, "other programs used the processor, up to %.1f of %.0f: repeat it on a quiet machine", worst((*lane).outside), cores)
	if most := worst((*lane).emulation); most > muchEmulation {
		doubt(result.MarkEmulator, "the machine was slow for the emulated link, which took up to %.1f of a processor: the link may be slower than it says", most)
	} else {
		doubt(result.MarkEmulator, "the machine was slow for the emulated link, and up to %.0f %% of the packets came over 1 ms late: the link was worse than it says", 100*worst((*lane).late))
	}
	doubt(result.MarkCPU, "this machine was the limit, and not the link")
	doubt(result.MarkFewRuns, "some runs are missing, as the time was up: give it more with --max-time")
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
