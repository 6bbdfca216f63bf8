package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// mostPlots keeps a page of many links and sweep values readable.
const mostPlots = 60

// figures are all plots of a report, by link in the order of the report. Rows
// without what a plot shows are left out; a plot without rows is left out.
func figures(r *result.Report) []figure {
	var all []figure
	add := func(f figure, ok bool) {
		if ok && len(all) < mostPlots {
			all = append(all, f)
		}
	}
	directions := []result.Direction{result.Up, result.Down}
	for _, link := range r.Links {
		for _, state := range statesOf(r, link.Name) {
			for _, dir := range directions {
				if r.Settings.Sweep != nil {
					add(sweepFigure(r, link, dir, state))
				} else {
					add(latencyFigure(r, link, dir, state))
				}
			}
		}
		if r.Settings.Sweep != nil || r.Settings.Mode != result.Bulk {
			continue
		}
		for _, draw := range []func(*result.Report, result.Link, result.Direction) (figure, bool){barsFigure, timeFigure} {
			for _, dir := range directions {
				add(draw(r, link, dir))
			}
		}
	}
	taken := map[string]int{}
	for i := range all {
		taken[all[i].name]++
		if n := taken[all[i].name]; n > 1 {
			all[i].name = fmt.Sprintf("%s-%d", all[i].name, n)
		}
	}
	return all
}

func selectRows(r *result.Report, link, value string, dir result.Direction) []result.Result {
	var out []result.Result
	for _, res := range r.Results {
		if res.Link == link && res.Direction == dir && res.SweepValue == value {
			out = append(out, res)
		}
	}
	return out
}

// statesOf are the states that a link's rows have, "" in modes without.
func statesOf(r *result.Report, link string) []result.OpenState {
	var out []result.OpenState
	for _, res := range r.Results {
		if res.Link == link && !slices.Contains(out, res.State) {
			out = append(out, res.State)
		}
	}
	return out
}

func lineOf(res result.Result) series {
	s := series{name: res.Transport, colour: colourOf(res), raw: res.Role == result.Baseline}
	if !s.raw {
		s.dashes = transportDashes[res.Transport]
		s.shape = transportShapes[res.Transport]
	}
	return s
}

// timeFigure shows what arrived when in the median run.
func timeFigure(r *result.Report, link result.Link, dir result.Direction) (figure, bool) {
	ch := chart{title: fmt.Sprintf("While it ran: %s on %s", dir, link.Name), height: 170}
	ch.x = axis{label: "seconds since the first send", ticks: ticks(5)}
	ch.y = axis{label: "MB/s", ticks: ticks(4)}
	var said []string
	for _, res := range selectRows(r, link.Name, "", dir) {
		run, ok := medianRun(res)
		if res.Role != result.Transport || !ok || len(run.Throughput) < 3 {
			continue
		}
		s := lineOf(res)
		s.shape = nil
		bins, width := steps(res, run)
		for i, x := range bins {
			s.points = append(s.points, plotter.XY{X: width * (float64(i) + 0.5), Y: x})
			ch.y.hi = max(ch.y.hi, x)
		}
		ch.x.hi = max(ch.x.hi, width*float64(len(bins)))
		ch.series = append(ch.series, s)
		said = append(said, fmt.Sprintf("%s %s to %s", res.Transport, digits(slices.Min(bins)), rateText(slices.Max(bins))))
	}
	if len(ch.series) == 0 || ch.y.hi == 0 {
		return figure{}, false
	}
	if c := linkCeiling(r, link.Name, "", dir); c > 0 && c < 3*ch.y.hi {
		ch.bound = c
		ch.y.hi = max(ch.y.hi, c)
	}
	ch.y.hi *= 1.05
	return ch.figure(figure{
		name: fileName("time", link.Name, string(dir)), link: link.Name,
		alt: ch.title + ": " + strings.Join(said, "; ") + ".",
	}), true
}

// A line over time has so many steps at most, and at least so many if a step
// would otherwise have less than fewChunks chunks, which arrive whole.
const (
	mostSteps  = 40
	leastSteps = 6
	fewChunks  = 4
)

// steps are the means of as many neighbouring bins as a line can show.
func steps(res result.Result, run result.Run) (rates []float64, seconds float64) {
	n := len(run.Throughput)
	group := (n + mostSteps - 1) / mostSteps
	if perBin := res.MBPerS * 1e6 * run.BinSeconds; perBin > 0 {
		group = max(group, int(math.Ceil(fewChunks*float64(res.ChunkSize)/perBin)))
	}
	group = max(1, min(group, n/leastSteps))
	for part := range slices.Chunk(run.Throughput, group) {
		rates = append(rates, stats.Mean(part))
	}
	return rates, run.BinSeconds * float64(group)
}

// medianRun is the run whose rate is nearest to the median.
func medianRun(res result.Result) (result.Run, bool) {
	if !res.Verified || len(res.Runs) == 0 {
		return result.Run{}, false
	}
	return slices.MinFunc(res.Runs, func(a, b result.Run) int {
		x, y := math.Abs(a.MBPerS-res.MBPerS), math.Abs(b.MBPerS-res.MBPerS)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}), true
}

// linkCeiling is the highest of the ceilings that the link gave the transports,
// which differ in their headers.
func linkCeiling(r *result.Report, link, value string, dir result.Direction) float64 {
	var out float64
	for _, res := range selectRows(r, link, value, dir) {
		for _, c := range res.Ceilings {
			if res.Role == result.Transport && c.Name == result.LimitLink && c.MBPerS > out {
				out = c.MBPerS
			}
		}
	}
	return out
}

// latencyFigure shows the distribution of the times.
func latencyFigure(r *result.Report, link result.Link, dir result.Direction, state result.OpenState) (figure, bool) {
	what := "Answer time"
	if r.Settings.Mode == result.Open {
		what = "Time to first byte"
	}
	ch := chart{title: fmt.Sprintf("%s %s on %s", what, dir, where(r, link.Name, "", state)), height: 190}
	lo, hi := math.Inf(1), 0.0
	var said []string
	for _, res := range selectRows(r, link.Name, "", dir) {
		if !res.Verified || res.State != state || res.Latency == nil || len(res.Latency.Points) == 0 || res.Role == result.Yardstick {
			continue
		}
		s := lineOf(res)
		s.steps, s.shape = true, nil
		for _, p := range res.Latency.Points {
			if p.Seconds > 0 {
				s.points = append(s.points, plotter.XY{X: p.Seconds, Y: 100 * p.Share})
				lo, hi = min(lo, p.Seconds), max(hi, p.Seconds)
			}
		}
		ch.series = append(ch.series, s)
		said = append(said, fmt.Sprintf("%s %s in the middle, %s at the 99th percentile", res.Transport, duration(res.Latency.P50), duration(res.Latency.P99)))
	}
	if len(ch.series) == 0 || hi == 0 {
		return figure{}, false
	}
	ch.x = axis{label: "time, logarithmic", ticks: logTicks{chosenDuration}, scale: plot.LogScale{}}
	ch.x.lo, ch.x.hi = logRange(lo, hi)
	for i := range ch.series {
		s := &ch.series[i]
		s.points = append(plotter.XYs{{X: ch.x.lo, Y: 0}, {X: s.points[0].X, Y: 0}}, s.points...)
		s.points = append(s.points, plotter.XY{X: ch.x.hi, Y: s.points[len(s.points)-1].Y})
	}
	ch.y = axis{label: "% that took at most so long", ticks: ticks(4), hi: 101}
	return ch.figure(figure{
		name: fileName("latency", link.Name, string(dir), string(state)), link: link.Name,
		alt: ch.title + ": " + strings.Join(said, "; ") + ".",
	}), true
}
