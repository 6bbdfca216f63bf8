package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
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
	Swept       string // the setting swept, or ""
	Differences []difference
}

// limitRow is one transport in one direction, and what limits it.
type limitRow struct {
	Swatch            template.CSS
	Transport         string
	Direction         string
	Value             string // of the setting swept, or the state
	Delivered, Spread string
	Failed            string // what went wrong
	Share, Ceiling    string
	Raw               []fact
	Limit, Why        string
	Setting           []piece
	Marks             []result.Mark
	Best              bool
}

// piece is a part of a sentence; Code is what to type.
type piece struct {
	Text string
	Code bool
}

var option = regexp.MustCompile(`--[a-z][a-z-]*(?:[ =][0-9][0-9A-Za-z.]*)?`)

func pieces(s string) (out []piece) {
	for s != "" {
		at := option.FindStringIndex(s)
		if at == nil {
			return append(out, piece{Text: s})
		}
		if at[0] > 0 {
			out = append(out, piece{Text: s[:at[0]]})
		}
		out = append(out, piece{s[at[0]:at[1]], true})
		s = s[at[1]:]
	}
	return out
}

type difference struct {
	Where, Text, P string
	Tie            bool
}

type cell struct {
	Column, Text string
	Head         bool
	Swatch       template.CSS
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
		Terms:    terms(r),
		Facts:    setup(r),
		Command:  command(r),
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
		if len(r.Links) == 1 && len(s.Verdicts) == 1 && s.Verdicts[0].Text == r.Verdict {
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
	s := linkSection{Anchor: anchor(link.Name), Name: link.Name, About: link.About, Facts: linkFacts(link)}
	if r.Settings.Sweep != nil {
		s.Swept = r.Settings.Sweep.Key
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

func newLimitRow(r *result.Report, res result.Result) limitRow {
	row := limitRow{
		Swatch: swatch(res), Transport: res.Transport, Direction: string(res.Direction), Marks: res.Marks,
		Value: strings.TrimPrefix(where(r, "", res.SweepValue, res.State), ", "),
	}
	if !res.Verified {
		row.Failed = res.Error
		if row.Failed == "" {
			row.Failed = "not verified"
		}
		return row
	}
	row.Delivered, row.Spread = headline(r, res), spreadText(res.Spread)
	if len(res.Rates) < 2 && res.Latency == nil {
		row.Spread = ""
	}
	if len(res.Ceilings) > 0 && res.Ceilings[0].MBPerS > 0 && res.MBPerS > 0 {
		c := res.Ceilings[0]
		row.Share, row.Ceiling = percent(res.MBPerS/c.MBPerS), fmt.Sprintf("of %s, %s", rateText(c.MBPerS), c.Name)
	}
	for _, other := range r.Results {
		if other.Role == result.Baseline && other.Of == res.Transport && other.Link == res.Link && other.Direction == res.Direction &&
			other.SweepValue == res.SweepValue && other.State == res.State && other.Verified {
			row.Raw = append(row.Raw, fact{other.Transport, headline(r, other)})
		}
	}
	if l := res.Limit; l != nil {
		row.Limit, row.Why, row.Setting = l.Name, l.Why, pieces(l.Setting)
	}
	return row
}

// headline is the figure that a row is about.
func headline(r *result.Report, res result.Result) string {
	if r.Settings.Mode == result.Bulk || res.Latency == nil {
		return rateText(res.MBPerS)
	}
	return duration(res.Latency.P50)
}

func swatch(res result.Result) template.CSS { return swatchOf(colourOf(res)) }

func swatchOf(c colour) template.CSS {
	return template.CSS(fmt.Sprintf("--light:%s;--dark:%s", c.hexLight(), c.hexDark())) //nolint:gosec // two numbers
}

func newDifference(r *result.Report, c result.Comparison) difference {
	word := "as fast as"
	if r.Settings.Mode != result.Bulk {
		word = "quicker than"
	}
	d := difference{
		Where: strings.TrimPrefix(where(r, string(c.Direction), c.SweepValue, c.State), ", "),
		Text:  fmt.Sprintf("%s is %s times %s %s", c.Better, digits(c.Ratio), word, c.Worse),
		P:     digits(c.P),
		Tie:   c.Tie,
	}
	if c.Tie {
		d.Text = fmt.Sprintf("%s and %s tie: a factor of %s is within the noise", c.Better, c.Worse, digits(c.Ratio))
	}
	return d
}

// allFigures is the table of everything measured; columns that are empty in
// all rows are left out.
func allFigures(r *result.Report) (columns []string, rows [][]cell) {
	for _, res := range r.Results {
		row := figuresOf(r, res)
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	for i := len(rows[0]) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(rows, func(row []cell) bool { return row[i].Text != "" }) {
			for k := range rows {
				rows[k] = slices.Delete(rows[k], i, i+1)
			}
		}
	}
	for _, c := range rows[0] {
		columns = append(columns, c.Column)
	}
	return columns, rows
}

func figuresOf(r *result.Report, res result.Result) []cell {
	at := strings.TrimPrefix(where(r, "", res.SweepValue, res.State), ", ")
	if len(r.Links) > 1 {
		at = where(r, res.Link, res.SweepValue, res.State)
	}
	row := []cell{{Column: "Carrier", Text: carrierName(res), Head: true, Swatch: swatch(res)}, {Column: "On", Text: at}, {Column: "Direction", Text: string(res.Direction)}}
	add := func(column string, known bool, text string) {
		if !known || !res.Verified {
			text = ""
		}
		row = append(row, cell{Column: column, Text: text})
	}
	add("Delivered", res.MBPerS > 0, rateText(res.MBPerS)+" "+spreadText(res.Spread))
	l := res.Latency
	if l == nil {
		l = &result.Latency{}
	}
	add("Median", l.Count > 0, duration(l.P50)+" "+spreadText(res.Spread))
	add("90 %", l.Count > 0, duration(l.P90))
	add("99 %", l.Count > 0, duration(l.P99))
	add("Longest", l.Count > 0, duration(l.Max))
	add("Times", l.Count > 0, fmt.Sprint(l.Count))
	add("Opening", res.OpenSeconds > 0, duration(res.OpenSeconds))
	add("First byte", res.FirstByteSeconds > 0, duration(res.FirstByteSeconds))
	add("Link use", res.LinkUse > 0, percent(res.LinkUse))
	add("Wire / payload", res.WireOverPayload > 0, fmt.Sprintf("%.3f", res.WireOverPayload))
	add("Back / payload", res.BackOverPayload > 0, fmt.Sprintf("%.3f", res.BackOverPayload))
	add("Loss seen", res.LossSeen > 0, percent(res.LossSeen))
	add("CPU s/GB", res.CPUSecondsPerGB > 0, digits(res.CPUSecondsPerGB))
	add("CPU cores", res.CPUCores > 0, digits(res.CPUCores))
	add("Memory", res.PeakRSSBytes > 0, size.Bytes(res.PeakRSSBytes).String())
	add("Congestion control", res.Congestion != "", res.Congestion)
	verified := "yes"
	switch {
	case !res.Verified:
		verified = "no"
	case !res.Complete && r.Settings.Mode == result.Bulk:
		verified = "yes, cut off"
	}
	return append(row, cell{Column: "Verified", Text: verified})
}
