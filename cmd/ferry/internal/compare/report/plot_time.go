package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// timeFigure shows what arrived when in the median run.
func timeFigure(r *result.Report, link result.Link, dir result.Direction) (figure, bool) {
	ch := chart{title: fmt.Sprintf("While it ran: %s on %s", dir, link.Name), height: 170}
	ch.x = axis{label: "seconds since the first send", ticks: ticks(5)}
	ch.y = axis{label: "MB/s", ticks: ticks(4)}
	var said []string
	for _, res := range selectRows(r, link.Name, "", dir) {
		run, ok := medianRun(res)
		if res.Role != result.Transport || !ok || len(run.Throughput) < 3 || run.BinSeconds <= 0 {
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
