package report

import (
	"fmt"
	"html"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// WritePlots writes every plot of r into dir, which must exist, as NAME.svg and
// NAME.png, and returns the paths. Plots of an earlier report that have another
// name stay. An SVG follows the reader's choice of light or dark, a PNG is
// light and 1080 pixels wide. The errors are those of the file system.
func WritePlots(dir string, r *result.Report) (paths []string, err error) {
	for _, f := range figures(r) {
		for ext, write := range map[string]func(figure, io.Writer) error{".svg": figure.writeSVG, ".png": figure.writePNG} {
			path := filepath.Join(dir, f.name+ext)
			if err := writeFile(path, func(w io.Writer) error { return write(f, w) }); err != nil {
				return paths, fmt.Errorf("write the plot %q: %w", f.title, err)
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

func (f figure) writePNG(w io.Writer) error {
	const sharp = 3 * 72 // three pixels a point
	c := vgimg.NewWith(vgimg.UseWH(figureWidth, f.height), vgimg.UseDPI(sharp))
	f.draw(draw.New(c))
	return png.Encode(w, c.Image())
}

func (f figure) writeSVG(w io.Writer) error {
	_, err := fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<svg class="plot" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 %[1]g %[2]g" width="%[3]g" height="%[4]g" role="img" aria-label="%[5]s">
<title>%[6]s</title><style>%[7]s%[8]s</style>
%[9]s</svg>
`, float64(figureWidth), float64(f.height), 2*float64(figureWidth), 2*float64(f.height), html.EscapeString(f.alt), html.EscapeString(f.title), fontRule, darkRules(), f.shapes())
	return err
}

// fontRule puts the reader's own font first that has the widths that the text
// was laid out with.
const fontRule = `svg.plot text{font-family:"Liberation Sans",Arial,Helvetica,sans-serif!important}`

// inline is the picture for a page that has fontRule and darkRules in its style.
func (f figure) inline() string {
	return fmt.Sprintf(`<svg class="plot" viewBox="0 0 %g %g" role="img" aria-label="%s">%s</svg>`,
		float64(figureWidth), float64(f.height), html.EscapeString(f.alt), f.shapes())
}

// shapes is what the library draws, without the element around it: that has a
// size in points, and no text for who cannot see it.
func (f figure) shapes() string {
	c := vgsvg.New(figureWidth, f.height)
	f.draw(draw.New(c))
	var b strings.Builder
	_, _ = c.WriteTo(&b) // to memory: cannot fail
	s := b.String()
	s = s[strings.Index(s, "<svg"):]
	s = s[strings.Index(s, ">")+1:]
	return strings.TrimSuffix(strings.TrimSpace(s), "</svg>")
}

// fileName makes a part of a file name of s.
func fileName(parts ...string) string {
	var kept []string
	for _, p := range parts {
		word := strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-':
				return r
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			}
			return '-'
		}, p)
		if word = strings.Trim(word, "-."); word != "" {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, "-")
}
