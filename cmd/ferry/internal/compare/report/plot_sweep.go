package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// logFrom is the ratio of the largest to the smallest value from which on an
// axis is logarithmic.
const logFrom = 20

// sweepFigure shows a setting against the rate, or against the time in the
// middle. The values stand side by side at equal distances: most sweeps grow by
// factors and begin at 0.
func sweepFigure(r *result.Report, link result.Link, dir result.Direction, state result.OpenState) (figure, bool) {
	sw := r.Settings.Sweep
	timed := r.Settings.Mode != result.Bulk
	lo, hi := math.Inf(1), 0.0
	first := firstBaselines(r)
	byName := map[string]*series{}
	var order []string
	var marks []plot.Tick
	for i, value := range sw.Values {
		marks = append(marks, plot.Tick{Value: float64(i), Label: value})
		for _, res := range selectRows(r, link.Name, value, dir) {
			y, span, ok := sweepPoint(res, timed)
			if !ok || res.State != state || res.Role == result.Yardstick || !first[res.Transport] {
				continue
			}
			s := byName[res.Transport]
			if s == nil {
				made := lineOf(res)
				s = &made
				byName[res.Transport] = s
				order = append(order, res.Transport)
			}
			s.points = append(s.points, plotter.XY{X: float64(i), Y: y})
			s.spans = append(s.spans, span)
			lo, hi = min(lo, span[0]), max(hi, span[1])
		}
	}
	if len(order) == 0 || hi <= 0 {
		return figure{}, false
	}
	ch := chart{height: 215}
	ch.title = fmt.Sprintf("Delivered %s against %s", dir, sw.Key)
	ch.y = axis{label: "MB/s", ticks: ticks(5), hi: hi * 1.05}
	var label = digits3
	if timed {
		ch.title = fmt.Sprintf("Time in the middle, %s, against %s", dir, sw.Key)
		if state != "" {
			ch.title = fmt.Sprintf("Time in the middle, %s, %s, against %s", state, dir, sw.Key)
		}
		ch.y.label, label = "time", chosenDuration
		ch.y.ticks = labelled{ticks(5), chosenDuration}
	}
	if len(r.Links) > 1 {
		ch.title += " on " + link.Name
	}
	if lo > 0 && hi/lo > logFrom {
		ch.y = axis{label: ch.y.label + ", logarithmic", ticks: logTicks{label}, scale: plot.LogScale{}}
		ch.y.lo, ch.y.hi = logRange(lo, hi)
	}
	ch.x = axis{label: sw.Key, ticks: plot.ConstantTicks(marks), lo: -0.25, hi: float64(len(sw.Values)) - 0.75}
	if c := linkCeiling(r, link.Name, sw.Values[0], dir); !timed && sw.Key != "rate" && c > 0 && c <= 3*hi {
		ch.bound = c
		ch.y.hi = max(ch.y.hi, c*1.05)
	}
	var said []string
	for _, name := range order {
		s := *byName[name]
		ch.series = append(ch.series, s)
		if s.raw {
			continue
		}
		var at []string
		for _, p := range s.points {
			text := rateText(p.Y)
			if timed {
				text = duration(p.Y)
			}
			at = append(at, fmt.Sprintf("%s at %s", text, sw.Values[int(p.X)]))
		}
		said = append(said, name+" "+strings.Join(at, ", "))
	}
	slices.SortStableFunc(ch.series, func(a, b series) int { return order01(a.raw) - order01(b.raw) })
	return ch.figure(figure{
		name: fileName("sweep", sw.Key, link.Name, string(dir), string(state)), link: link.Name,
		alt: ch.title + ": " + strings.Join(said, "; ") + ".",
	}), true
}

// firstBaselines are the carriers whose lines are drawn: the transports, and
// the first baseline of each, so that lines of one colour can be told apart.
func firstBaselines(r *result.Report) map[string]bool {
	drawn, have := map[string]bool{}, map[string]bool{}
	for _, res := range r.Results {
		switch {
		case res.Role != result.Baseline:
			drawn[res.Transport] = true
		case !have[res.Of]:
			have[res.Of], drawn[res.Transport] = true, true
		}
	}
	return drawn
}

// sweepPoint is a row's value with its smallest and largest run.
func sweepPoint(res result.Result, timed bool) (y float64, span [2]float64, ok bool) {
	if !res.Verified {
		return 0, span, false
	}
	if !timed {
		if res.MBPerS <= 0 || len(res.Rates) == 0 {
			return 0, span, false
		}
		return res.MBPerS, [2]float64{slices.Min(res.Rates), slices.Max(res.Rates)}, true
	}
	if res.Latency == nil || res.Latency.P50 <= 0 {
		return 0, span, false
	}
	span = [2]float64{res.Latency.P50, res.Latency.P50}
	for _, run := range res.Runs {
		if run.MedianSeconds > 0 {
			span[0], span[1] = min(span[0], run.MedianSeconds), max(span[1], run.MedianSeconds)
		}
	}
	return res.Latency.P50, span, true
}

func order01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// labelled are ticks with another text.
type labelled struct {
	plot.Ticker
	label func(float64) string
}

// Ticks implements plot.Ticker.
func (l labelled) Ticks(lo, hi float64) []plot.Tick {
	out := l.Ticker.Ticks(lo, hi)
	for i := range out {
		if out[i].Value != 0 {
			out[i].Label = l.label(out[i].Value)
		}
	}
	return out
}
