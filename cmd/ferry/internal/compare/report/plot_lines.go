package report

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// series is one line of a plot of lines.
type series struct {
	name   string
	colour colour
	raw    bool             // a baseline: thin, hollow
	steps  bool             // rises in steps, as a distribution does
	points plotter.XYs      // rising in X
	spans  [][2]float64     // of Y at each point, or nil
	shape  draw.GlyphDrawer // at the points, or nil
	dashes []vg.Length
}

// strokes makes the lines of transports different for who sees no colours.
var (
	transportShapes = map[string]draw.GlyphDrawer{"ws": draw.CircleGlyph{}, "quic": draw.BoxGlyph{}, "webrtc": draw.PyramidGlyph{}, "wss": draw.SquareGlyph{}}
	transportDashes = map[string][]vg.Length{"quic": {7, 2.5}, "webrtc": {2, 2}, "wss": {7, 2, 2, 2}, "memory": {1, 3}}
)

func (s series) style() draw.LineStyle {
	if s.raw {
		return stroke(s.colour, 0.9, 1.5, 2)
	}
	return stroke(s.colour, 2, s.dashes...)
}

func (s series) key() key {
	name := s.name
	if s.raw {
		name = "raw " + strings.TrimPrefix(name, "raw ")
	}
	return key{name, func(c *draw.Canvas, at vg.Point) {
		c.StrokeLine2(s.style(), at.X-8, at.Y, at.X+8, at.Y)
		s.glyph(c, at)
	}}
}

func (s series) glyph(c *draw.Canvas, at vg.Point) {
	switch {
	case s.raw:
		diamond(c, at, s.colour)
	case s.shape != nil:
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: s.colour.light, Radius: 3.4, Shape: s.shape}, at)
	}
}

// chart is a plot of lines.
type chart struct {
	title  string
	series []series
	x, y   axis

	// bound is drawn across the plot, if it is not 0.
	bound float64

	height vg.Length // of the part below the legend
}

// axis says how one axis is drawn.
type axis struct {
	label  string
	ticks  plot.Ticker
	scale  plot.Normalizer // nil: linear
	lo, hi float64
}

func (ch chart) keys() []key {
	var keys []key
	for _, s := range ch.series {
		keys = append(keys, s.key())
	}
	if ch.bound > 0 {
		keys = append(keys, key{"ceiling of the link", func(c *draw.Canvas, at vg.Point) {
			c.StrokeLine2(stroke(bound, 1.5, 5, 3), at.X-8, at.Y, at.X+8, at.Y)
		}})
	}
	return keys
}

func (ch chart) figure(f figure) figure {
	keys := ch.keys()
	f.title = ch.title
	f.height = vg.Length(28+15*keyLines(keys)+6) + ch.height
	f.draw = func(c draw.Canvas) {
		c = drawTitle(c, ch.title)
		c = drawKeys(c, keys)
		p := newAxes()
		for _, side := range []struct {
			to   *plot.Axis
			from axis
		}{{&p.X, ch.x}, {&p.Y, ch.y}} {
			side.to.Min, side.to.Max = side.from.lo, side.from.hi
			side.to.Label.Text = side.from.label
			side.to.Tick.Marker = side.from.ticks
			if side.from.scale != nil {
				side.to.Scale = side.from.scale
			}
		}
		p.Add(lines{}, ch)
		p.Draw(draw.Crop(c, 0, -6, 0, -2))
	}
	return f
}

// Plot implements plot.Plotter.
func (ch chart) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	if ch.bound > 0 {
		c.StrokeLine2(stroke(bound, 1.5, 5, 3), c.Min.X, trY(ch.bound), c.Max.X, trY(ch.bound))
	}
	// What stands for a transport is drawn over what stands for its carrier.
	for _, s := range slices.Backward(ch.series) {
		var at []vg.Point
		for i, xy := range s.points {
			pt := vg.Point{X: trX(xy.X), Y: trY(math.Max(xy.Y, p.Y.Min))}
			if s.steps && i > 0 {
				at = append(at, vg.Point{X: pt.X, Y: at[len(at)-1].Y})
			}
			at = append(at, pt)
		}
		c.StrokeLines(s.style(), c.ClipLinesXY(at)...)
		if s.shape == nil && !s.raw {
			continue
		}
		for i, xy := range s.points {
			x := trX(xy.X)
			if s.spans != nil && !s.raw {
				lo, hi := trY(math.Max(s.spans[i][0], p.Y.Min)), trY(math.Max(s.spans[i][1], p.Y.Min))
				c.StrokeLine2(stroke(s.colour, 1), x, lo, x, hi)
				c.StrokeLine2(stroke(s.colour, 1), x-3, lo, x+3, lo)
				c.StrokeLine2(stroke(s.colour, 1), x-3, hi, x+3, hi)
			}
			s.glyph(&c, vg.Point{X: x, Y: trY(math.Max(xy.Y, p.Y.Min))})
		}
	}
}
