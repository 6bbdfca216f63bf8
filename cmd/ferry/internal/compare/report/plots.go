package report

import (
	"fmt"
	"slices"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
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
