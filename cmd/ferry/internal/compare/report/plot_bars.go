package report

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// bar is one transport in a plot of bars.
type bar struct {
	result.Result
	baselines []result.Result
}

// barsFigure shows the rates of one direction of one link: a bar to the median,
// a line from the slowest to the fastest run, a diamond at the raw carrier, a
// stroke at the lowest ceiling.
func barsFigure(r *result.Report, link result.Link, dir result.Direction) (figure, bool) {
	var bars []bar
	var keys []key
	var most float64
	rows := selectRows(r, link.Name, "", dir)
	for _, res := range rows {
		if res.Role != result.Transport {
			continue
		}
		b := bar{Result: res}
		for _, other := range rows {
			if other.Role == result.Baseline && other.Of == res.Transport && other.Verified && other.MBPerS > 0 {
				b.baselines = append(b.baselines, other)
				most = max(most, other.MBPerS)
			}
		}
		bars = append(bars, b)
		if res.Verified {
			most = max(most, res.MBPerS, slices.Max(append(res.Rates, 0)))
		}
	}
	if len(bars) == 0 || most == 0 {
		return figure{}, false
	}
	top := most
	keys = append(keys, key{"slowest to fastest run", func(c *draw.Canvas, at vg.Point) { whisker(c, at.X-7, at.X+7, at.Y) }})
	if slices.ContainsFunc(bars, func(b bar) bool { return len(b.baselines) > 0 }) {
		keys = append(keys, key{"raw carrier", func(c *draw.Canvas, at vg.Point) { diamond(c, at, faint) }})
	}
	shown := false
	for _, b := range bars {
		if len(b.Ceilings) > 0 && b.Verified && b.Ceilings[0].MBPerS <= 10*most {
			top = max(top, b.Ceilings[0].MBPerS)
			shown = true
		}
	}
	if shown {
		keys = append(keys, key{"ceiling", func(c *draw.Canvas, at vg.Point) { ceilingStroke(c, at.X+3, at.Y, 6) }})
	}
	title := fmt.Sprintf("Delivered %s on %s", dir, link.Name)
	const row = 30
	f := figure{
		name:   fileName("throughput", link.Name, string(dir)),
		title:  title,
		link:   link.Name,
		height: vg.Length(28 + 15*keyLines(keys) + 6 + row*len(bars) + 36),
	}
	for i, b := range bars {
		if i > 0 {
			f.alt += "; "
		}
		f.alt += fmt.Sprintf("%s %s", b.Transport, rateOrFailed(b.Result))
	}
	f.alt = title + ": " + f.alt + "."
	f.draw = func(c draw.Canvas) {
		c = drawTitle(c, title)
		c = drawKeys(c, keys)
		var label vg.Length
		names := writing(bodySize, ink)
		for _, b := range bars {
			label = min(max(label, names.Width(b.Transport)), 90)
		}
		const values = 104
		p := newAxes()
		p.X.Min, p.X.Max = 0, top*1.03
		p.X.Tick.Marker = ticks(4)
		p.X.Label.Text = "MB/s"
		p.Y.Min, p.Y.Max = 0, float64(len(bars))
		p.Y.Tick.Marker = plot.ConstantTicks(nil)
		p.Y.Tick.Length = 0
		p.Add(lines{vertical: true})
		p.Add(rowsPlotter(bars))
		inner := draw.Crop(c, label+8, -values, 0, 0)
		p.Draw(inner)
		data := p.DataCanvas(inner)
		for i, b := range bars {
			y := data.Y(1 - (float64(i)+0.5)/float64(len(bars)))
			name := right(names)
			c.FillText(name, vg.Point{X: data.Min.X - 6, Y: y}, fitted(b.Transport, &name, label))
			c.FillText(writing(bodySize, ink), vg.Point{X: data.Max.X + 8, Y: y}, rateOrFailed(b.Result))
		}
	}
	return f, true
}

func rateOrFailed(res result.Result) string {
	switch {
	case !res.Verified:
		return "failed"
	case len(res.Rates) < 2:
		return rateText(res.MBPerS)
	}
	return rateText(res.MBPerS) + " " + spreadText(res.Spread)
}

type rowsPlotter []bar

// Plot implements plot.Plotter.
func (bars rowsPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	trX, _ := p.Transforms(&c)
	height := (c.Max.Y - c.Min.Y) / vg.Length(len(bars))
	for i, b := range bars {
		y := c.Max.Y - height*(vg.Length(i)+0.5)
		if len(b.Ceilings) > 0 && b.Verified && b.Ceilings[0].MBPerS <= p.X.Max {
			ceilingStroke(&c, trX(b.Ceilings[0].MBPerS), y, 10)
		}
		if b.Verified {
			const half = 7
			c.SetColor(colourOf(b.Result).light)
			c.Fill(vg.Rectangle{Min: vg.Point{X: trX(0), Y: y - half}, Max: vg.Point{X: trX(b.MBPerS), Y: y + half}}.Path())
			if len(b.Rates) > 1 {
				whisker(&c, trX(slices.Min(b.Rates)), trX(slices.Max(b.Rates)), y)
			}
		}
		for _, base := range b.baselines {
			diamond(&c, vg.Point{X: trX(base.MBPerS), Y: y}, colourOf(base))
		}
	}
}

func whisker(c *draw.Canvas, from, to, y vg.Length) {
	for _, pass := range []draw.LineStyle{stroke(paper, 3.2), stroke(ink, 1.2)} {
		c.StrokeLine2(pass, from, y, to, y)
		c.StrokeLine2(pass, from, y-3.5, from, y+3.5)
		c.StrokeLine2(pass, to, y-3.5, to, y+3.5)
	}
}

func diamond(c *draw.Canvas, at vg.Point, col colour) {
	const r = 4.5
	corners := []vg.Point{{X: at.X, Y: at.Y + r}, {X: at.X + r, Y: at.Y}, {X: at.X, Y: at.Y - r}, {X: at.X - r, Y: at.Y}, {X: at.X, Y: at.Y + r}}
	c.FillPolygon(paper.light, corners)
	c.StrokeLines(stroke(col, 1.5), corners)
}

func ceilingStroke(c *draw.Canvas, x, y, half vg.Length) {
	c.StrokeLine2(stroke(bound, 2.2), x, y-half, x, y+half)
}

// lines are the lines of the grid, at the ticks of one axis.
type lines struct{ vertical bool }

// Plot implements plot.Plotter.
func (l lines) Plot(c draw.Canvas, p *plot.Plot) {
	g := plotter.Grid{Vertical: stroke(grid, 0.75), Horizontal: stroke(grid, 0.75)}
	if l.vertical {
		g.Horizontal.Color = nil
	} else {
		g.Vertical.Color = nil
	}
	g.Plot(c, p)
}
