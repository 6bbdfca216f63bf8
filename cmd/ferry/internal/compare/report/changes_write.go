package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"text/tabwriter"
)

// Text is the format of a table for people; Write does not know it, as such a
// report is the concern of the terminal.
const Text Format = "text"

// ChangesFormats returns the names that WriteChanges takes.
func ChangesFormats() []string { return []string{string(HTML), string(JSON), string(Text)} }

// WriteChanges writes c to w in one of ChangesFormats. The error is w's, or says
// which formats there are.
func WriteChanges(w io.Writer, format Format, c *Changes) error {
	switch format {
	case Text:
		return c.writeText(w)
	case JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	case HTML:
		return changesTemplate.Execute(w, newChangesView(c))
	default:
		return fmt.Errorf("no changes in format %q: choose text, json or html, or let benchstat compare two files of format bench", format)
	}
}

func (c *Changes) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "row\tbefore\tnow\tnow is\tp\n")
	for _, v := range newChangesView(c).Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.Row, v.Before, v.Now, v.Says, v.P)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Only before", c.Gone}, {"Only now", c.Added}, {"Not the same circumstances", c.Differ}, {"Errors", c.errors()}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(w, "\n%s:\n", part.title)
			for _, line := range part.lines {
				fmt.Fprintf(w, "  %s\n", line)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n%s\n", c.Verdict, noiseRule)
	return err
}

const noiseRule = "A ratio above 1 is better. ~ is a difference within the noise (Mann-Whitney U test, p >= 0.05); of twenty rows that did not change, one passes that test by chance."

func (c *Changes) errors() []string {
	var out []string
	for _, ch := range c.Changes {
		if ch.NewError != "" {
			out = append(out, ch.Row+": "+ch.NewError)
		}
	}
	return out
}

var (
	//go:embed changes.html
	changesText string

	changesTemplate = template.Must(template.New("changes").Parse(changesText))
)

type changesView struct {
	*Changes
	Style     template.CSS
	Rows      []changeView
	NoiseRule string
	Errors    []string
}

type changeView struct {
	Row, Before, Now, Says, P string
	Class                     string // "better", "worse", "tie" or "failed"
	Swatch                    template.CSS
}

func newChangesView(c *Changes) changesView {
	v := changesView{Changes: c, Style: template.CSS(styleText), NoiseRule: noiseRule, Errors: c.errors()} //nolint:gosec // no input in it
	for _, ch := range c.Changes {
		v.Rows = append(v.Rows, newChangeView(ch))
	}
	return v
}

func newChangeView(ch Change) changeView {
	name := ch.Transport
	if ch.Of != "" {
		name = ch.Of
	}
	v := changeView{Row: ch.Row, Swatch: swatchOf(transportColour(name)), Before: changeValue(ch.Old, ch), Now: changeValue(ch.New, ch)}
	switch {
	case ch.OldError != "" && ch.NewError != "":
		v.Says, v.Class = "failed as before", "failed"
	case ch.NewError != "":
		v.Says, v.Class = "broken", "failed"
	case ch.OldError != "":
		v.Says, v.Class = "mended", "better"
	case ch.Ratio == 0:
		v.Says, v.Class = "not measured", "tie"
	case ch.Tie:
		v.Says, v.Class = "~", "tie"
	case ch.Ratio >= 1:
		v.Says, v.Class = "better: "+ratioText(ch)+" times", "better"
	default:
		v.Says, v.Class = "worse: "+ratioText(ch)+" times", "worse"
	}
	if ch.Ratio != 0 {
		v.P = digits(ch.P)
	}
	return v
}

func changeValue(x float64, c Change) string {
	switch {
	case x == 0:
		return "failed"
	case c.Unit == "s":
		return duration(x)
	}
	return rateText(x)
}
