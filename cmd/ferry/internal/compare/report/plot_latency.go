package report

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

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
		if res.Role != result.Transport || !res.Verified || res.State != state || res.Latency == nil || len(res.Latency.Points) == 0 {
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
		if len(s.points) == 0 {
			continue
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
