package report

import (
	"bytes"
	"math"
	"regexp"
	"testing"

	"image/color"
)

var picture = regexp.MustCompile(`(?s)(<svg[^>]*>).*?</svg>`)

// The golden pages have no style and no shapes in their plots, which the
// browser looks at.
func TestPageGolden(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			page := withoutStyle(string(written(t, f.name, HTML)))
			golden(t, f.name+".html", picture.ReplaceAll([]byte(page), []byte("$1</svg>")))
		})
	}
}

// Text can be read and marks can be seen, on paper of either scheme (WCAG 2.2,
// 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	check := func(name string, c colour, least float64) {
		for _, side := range []struct {
			scheme string
			c, on  color.RGBA
		}{{"light", c.light, paper.light}, {"dark", c.dark, paper.dark}} {
			if got := contrast(side.c, side.on); got < least {
				t.Errorf("%s %s has a contrast of %.2f, want %.1f", side.scheme, name, got, least)
			}
		}
	}
	check("ink", ink, 4.5)
	check("faint", faint, 4.5)
	check("bound", bound, 3)
	for name, c := range transportColours {
		check(name, c, 3)
	}
	for _, c := range otherColours {
		check(c.hexLight(), c, 3)
	}
}

func contrast(a, b color.RGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// The rules that turn a picture dark know a colour by its light value alone.
func TestLightColoursDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range allColours() {
		if seen[c.hexLight()] {
			t.Errorf("two colours are %s", c.hexLight())
		}
		seen[c.hexLight()] = true
	}
}

// What a stranger wrote is text, on the page and in its plots.
func TestEscaping(t *testing.T) {
	r := standard()
	evil := `<script>alert(1)</script>"&`
	for i := range r.Links {
		r.Links[i].Name += evil
		r.Links[i].About = evil
	}
	for i := range r.Results {
		r.Results[i].Link += evil
		r.Results[i].Transport += evil
		r.Results[i].Error = evil
		r.Results[i].Verified = i%5 > 0
	}
	r.Verdict, r.Notes, r.Settings.File = evil, []string{evil}, evil
	for _, f := range figures(r) {
		if regexp.MustCompile(`<script|&"`).MatchString(f.inline()) {
			t.Errorf("the plot %s has what a stranger wrote", f.name)
		}
	}
	page := newPage(r)
	if regexp.MustCompile(`<script`).MatchString(execute(t, page)) {
		t.Error("a script that a stranger wrote is in the page")
	}
}

func execute(t *testing.T, p pageView) string {
	t.Helper()
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
