package report

import (
	"fmt"
	"hash/fnv"
	"image/color"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// A colour has a value for a light page and one for a dark page.
type colour struct{ light, dark color.RGBA }

// The colours of what is not data. Text has a contrast of at least 4.5 to the
// paper, see TestContrast.
var (
	paper = colour{hex(0xFFFFFF), hex(0x161B22)}
	ink   = colour{hex(0x1B1F24), hex(0xE6EDF3)}
	faint = colour{hex(0x57606A), hex(0x9AA5B1)}
	grid  = colour{hex(0xE2E6EA), hex(0x30363D)}
	bound = colour{hex(0x6E5A9E), hex(0xB8A5E8)} // of the ceiling
)

// The colours of the transports are told apart with any of the common forms of
// colour blindness (after Okabe and Ito, Color Universal Design), and have a
// contrast of at least 3 to the paper. A transport has the same one everywhere.
var transportColours = map[string]colour{
	"ws":     {hex(0x0072B2), hex(0x56B4E9)},
	"quic":   {hex(0xC4500A), hex(0xF0803C)},
	"webrtc": {hex(0x008A66), hex(0x2FC79E)},
	"wss":    {hex(0xA8457F), hex(0xE08CBE)},
	"memory": {hex(0x6B7078), hex(0xA3ABB5)},
}

// otherColours are for transports that the table does not name.
var otherColours = []colour{
	{hex(0x8A6D00), hex(0xE0B93C)},
	{hex(0x7A4B2A), hex(0xC99A70)},
	{hex(0x4B5FC0), hex(0x93A3F5)},
}

func hex(rgb uint32) color.RGBA {
	return color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 0xff}
}

// transportColour is that of the transport; of a baseline, that of the
// transport whose carrier it is.
func transportColour(name string) colour {
	if c, ok := transportColours[name]; ok {
		return c
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return otherColours[h.Sum32()%uint32(len(otherColours))]
}

// colourOf is the colour of a row.
func colourOf(res result.Result) colour {
	if res.Of != "" {
		return transportColour(res.Of)
	}
	return transportColour(res.Transport)
}

func (c colour) hexLight() string { return hexOf(c.light) }
func (c colour) hexDark() string  { return hexOf(c.dark) }

func hexOf(c color.RGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

func allColours() []colour {
	all := append([]colour{paper, ink, faint, grid, bound}, otherColours...)
	for _, name := range []string{"ws", "quic", "webrtc", "wss", "memory"} {
		all = append(all, transportColours[name])
	}
	return all
}

// darkRules are the style rules that turn a picture drawn in the light colours
// dark. A viewer that knows no media queries shows the light one.
func darkRules() string {
	var b strings.Builder
	b.WriteString("@media (prefers-color-scheme:dark){")
	for _, c := range allColours() {
		for _, property := range []string{"fill", "stroke"} {
			fmt.Fprintf(&b, `svg.plot [style*="%s:%s"]{%s:%s!important}`, property, c.hexLight(), property, c.hexDark())
		}
	}
	b.WriteString("}")
	return b.String()
}
