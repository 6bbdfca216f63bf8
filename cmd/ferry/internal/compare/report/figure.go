package report

import (
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// figure is one plot.
type figure struct {
	name  string // of its files, without the extension; unique in a report
	title string
	alt   string // what it shows, in words, for who cannot see it
	link  string // "" if it is about the comparison as a whole

	height vg.Length
	draw   func(c draw.Canvas)
}

// figureWidth is narrow enough for a telephone, where a plot is shown in this
// size; in points, which a browser shows as pixels.
const figureWidth vg.Length = 360

const (
	bodySize  = 11
	titleSize = 12.5
)

func writing(size font.Length, c colour) text.Style {
	return text.Style{
		Color:   c.light,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		YAlign:  text.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

func right(s text.Style) text.Style {
	s.XAlign = text.XRight
	return s
}

// newAxes is a plot with a quiet frame: the lines of the grid carry the eye,
// the axes have no ticks.
func newAxes() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = paper.light
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color = faint.light
		axis.Width = 0.75
		axis.Padding = 0
		axis.Tick.Length = 3
		axis.Tick.Color = faint.light
		axis.Tick.Width = 0.75
		for _, style := range []*text.Style{&axis.Tick.Label, &axis.Label.TextStyle} {
			style.Font = writing(bodySize-1, faint).Font
			style.Color = faint.light
		}
		axis.Label.Padding = 3
	}
	return p
}

// drawTitle writes the title, and returns what is left of the canvas.
func drawTitle(c draw.Canvas, title string) draw.Canvas {
	c.SetColor(paper.light)
	c.Fill(c.Path())
	c = draw.Crop(c, 6, -6, 4, -4)
	style := bold(writing(titleSize, ink))
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, fitted(title, &style, c.Max.X-c.Min.X))
	return draw.Crop(c, 0, 0, 0, -20)
}

// fitted makes the text smaller, and then shorter, until it is not wider than
// width.
func fitted(s string, style *text.Style, width vg.Length) string {
	for style.Width(s) > width && style.Font.Size > 9.5 {
		style.Font.Size -= 0.5
	}
	if style.Width(s) <= width {
		return s
	}
	short := []rune(s)
	for len(short) > 0 && style.Width(string(short)+"…") > width {
		short = short[:len(short)-1]
	}
	return string(short) + "…"
}

// key is an entry of a legend.
type key struct {
	text string
	mark func(c *draw.Canvas, at vg.Point) // 16 wide, centred at at
}

const (
	keyMark   vg.Length = 16
	keyGap    vg.Length = 12
	keyHeight vg.Length = 15
)

// drawKeys writes a legend from left to right in as many lines as it takes,
// and returns what is left of the canvas below.
func drawKeys(c draw.Canvas, keys []key) draw.Canvas {
	style := writing(bodySize, faint)
	x, y := c.Min.X, c.Max.Y-keyHeight/2
	for _, k := range keys {
		width := keyMark + 4 + style.Width(k.text)
		if x > c.Min.X && x+width > c.Max.X {
			x, y = c.Min.X, y-keyHeight
		}
		k.mark(&c, vg.Point{X: x + keyMark/2, Y: y})
		c.FillText(style, vg.Point{X: x + keyMark + 4, Y: y}, k.text)
		x += width + keyGap
	}
	used := c.Max.Y - y + keyHeight/2 + 4
	return draw.Crop(c, 0, 0, 0, -used)
}

// keyLines is how many lines drawKeys takes.
func keyLines(keys []key) int {
	style := writing(bodySize, faint)
	lines, x := 1, vg.Length(0)
	for _, k := range keys {
		width := keyMark + 4 + style.Width(k.text)
		if x > 0 && x+width > figureWidth-12 {
			lines, x = lines+1, 0
		}
		x += width + keyGap
	}
	return lines
}

func stroke(c colour, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c.light, Width: width, Dashes: dashes}
}
