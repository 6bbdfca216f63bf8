package report

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

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
}

// piece is a part of a sentence; Code is what to type.
type piece struct {
	Text string
	Code bool
}

var option = regexp.MustCompile(`--[a-z][a-z-]*(?:[ =](?:[0-9][0-9A-Za-z.]*|reno|bbr))?`)

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

func newLimitRow(r *result.Report, res result.Result) limitRow {
	row := limitRow{
		Swatch: swatch(res), Transport: res.Transport, Direction: string(res.Direction), Marks: slices.DeleteFunc(slices.Clone(res.Marks), result.Mark.OfMachine),
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
	if r.Settings.Mode == result.Bulk && len(res.Ceilings) > 0 && res.Ceilings[0].MBPerS > 0 {
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
	switch {
	case c.Tie && c.Ratio > 1.25:
		d.Text = fmt.Sprintf("%s was %s times %s %s, but the runs differ too much, or are too few, to tell", c.Better, digits(c.Ratio), word, c.Worse)
	case c.Tie:
		d.Text = fmt.Sprintf("%s and %s tie: a factor of %s is within the noise", c.Better, c.Worse, digits(c.Ratio))
	}
	return d
}
