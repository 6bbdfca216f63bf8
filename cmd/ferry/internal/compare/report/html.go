package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

var (
	//go:embed page.html
	pageText string

	//go:embed style.css
	styleText string
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageView is what page.html shows.
type pageView struct {
	Style    template.CSS
	Title    string
	Subtitle string
	Failed   bool
	Verdict  string
	Notes    []string
	Doubts   []result.Mark
	Answers  []answer
	Links    []linkSection
	Columns  []string // of the table of all figures
	Figures  [][]cell
	Terms    []term
	Facts    []fact
	Command  string
}

// answer is the conclusion for one link or sweep value.
type answer struct{ Where, Text, Anchor string }

type fact struct{ Name, Value string }

// linkSection is what the page says of one link.
type linkSection struct {
	Anchor      string
	Name, About string
	Facts       []fact
	Verdicts    []answer
	Plots       []template.HTML
	Rows        []limitRow
	What        string // the heading of the figures
	Ceilings    bool   // whether rows have one
	Differences []difference
}

type term struct{ Name, Text string }

// writeHTML writes one page that needs no other file and no network, runs no
// script, and follows the reader's choice of light or dark.
func writeHTML(w io.Writer, r *result.Report) error {
	return pageTemplate.Execute(w, newPage(r))
}

func newPage(r *result.Report) pageView {
	p := pageView{
		Style:    template.CSS(styleText + fontRule + darkRules()), //nolint:gosec // no input in it
		Title:    "Which transport for this link?",
		Subtitle: subtitle(r),
		Failed:   r.Failed(),
		Verdict:  r.Verdict,
		Notes:    r.Notes,
		Doubts:   r.Doubts,
		Terms:    terms(r),
		Facts:    setup(r),
		Command:  r.Settings.Command,
	}
	if len(r.Links) > 1 {
		for _, v := range r.Verdicts {
			p.Answers = append(p.Answers, answer{where(r, v.Link, v.SweepValue, ""), bare(r, v), "#" + anchor(v.Link)})
		}
	}
	plots := map[string][]template.HTML{}
	for _, f := range figures(r) {
		plots[f.link] = append(plots[f.link], template.HTML(f.inline())) //nolint:gosec // vgsvg and inline escape text
	}
	for _, link := range r.Links {
		s := newLinkSection(r, link)
		s.Plots = plots[link.Name]
		if len(r.Links) == 1 && len(r.Verdicts) == 1 { // it stands at the top
			s.Verdicts = nil
		}
		p.Links = append(p.Links, s)
	}
	p.Columns, p.Figures = allFigures(r)
	return p
}

// bare is a verdict without the place it begins with, which stands beside it.
func bare(r *result.Report, v result.LinkVerdict) string {
	places := []string{v.Link}
	if r.Settings.Sweep != nil {
		at := r.Settings.Sweep.Key + "=" + v.SweepValue
		places = append(places, at, v.Link+" with "+at)
	}
	for _, p := range places {
		if rest, ok := strings.CutPrefix(v.Text, p+": "); ok {
			return rest
		}
	}
	return v.Text
}

func anchor(link string) string { return "link-" + fileName(link) }

func subtitle(r *result.Report) string {
	s := r.Settings
	what := map[result.Mode]string{
		result.Bulk:     fmt.Sprintf("%s in chunks of %s, as fast as it goes", size.Bytes(s.Bytes), size.Bytes(s.ChunkSize)),
		result.Messages: fmt.Sprintf("messages of %s and their answers, one after the other", size.Bytes(s.MessageBytes)),
		result.Open:     "from dialling to the first byte at the other side",
	}[s.Mode]
	return fmt.Sprintf("%s; %s; content verified at the receiver.", what, runs(s))
}

func runs(s result.Settings) string {
	out := plural(s.Runs, "run") + " each"
	if s.WarmUps > 0 {
		out += " after " + plural(s.WarmUps, "warm-up")
	}
	return out
}

func newLinkSection(r *result.Report, link result.Link) linkSection {
	s := linkSection{Anchor: anchor(link.Name), Name: breakable(link.Name), About: link.About, Facts: linkFacts(link)}
	s.What, s.Ceilings = "Delivered", r.Settings.Mode == result.Bulk
	if !s.Ceilings {
		s.What = "Median time"
	}
	for _, v := range r.Verdicts {
		if v.Link == link.Name {
			s.Verdicts = append(s.Verdicts, answer{Where: strings.TrimPrefix(where(r, "", v.SweepValue, ""), ", "), Text: bare(r, v)})
		}
	}
	for _, res := range r.Results {
		if res.Link == link.Name && res.Role == result.Transport {
			s.Rows = append(s.Rows, newLimitRow(r, res))
		}
	}
	for _, c := range r.Comparisons {
		if c.Link == link.Name {
			s.Differences = append(s.Differences, newDifference(r, c))
		}
	}
	return s
}

// breakable lets a line end after each comma of a description.
func breakable(link string) string { return strings.ReplaceAll(link, ",", ",\u200b") }

func linkFacts(l result.Link) []fact {
	kinds := map[string]string{
		"loopback": "loopback: no delay, no loss, no limit",
		"user":     "emulated, gVisor network stack on both ends",
		"kernel":   "emulated, the kernel's TCP in two network namespaces",
		"real":     "real network",
	}
	facts := []fact{{"Link", kinds[l.Kind]}}
	if l.RTTSeconds > 0 && l.Kind != "loopback" {
		facts = append(facts, fact{"Round trip", chosenDuration(l.RTTSeconds)})
	}
	for _, d := range []struct {
		name string
		result.LinkDirection
	}{{"Up", l.Up}, {"Down", l.Down}} {
		if d.BitsPerS > 0 {
			text := fmt.Sprintf("%s = %s", bits(d.BitsPerS), rateText(float64(d.BitsPerS)/8e6))
			if d.QueueBytes > 0 {
				text += ", queue " + size.Bytes(d.QueueBytes).String()
			}
			if d.Loss > 0 {
				text += ", loss " + percent(d.Loss)
			}
			facts = append(facts, fact{d.name, text})
		}
	}
	if l.TCP != "" {
		facts = append(facts, fact{"TCP", l.TCP})
	}
	if l.Spec != "" && l.Spec != l.Name {
		facts = append(facts, fact{"--link", l.Spec})
	}
	return facts
}
