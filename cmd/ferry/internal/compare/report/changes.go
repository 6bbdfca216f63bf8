package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// Changes is what is different between two reports.
type Changes struct {
	Verdict string `json:"verdict"` // in a sentence or two

	// Differ are the circumstances that were not the same, so that a change
	// may be theirs: "machine: 2 CPUs, was 8 CPUs".
	Differ []string `json:"differ,omitempty"`

	Changes []Change `json:"changes"` // the rows of both, in the order of the new report
	Added   []string `json:"added,omitempty"`
	Gone    []string `json:"gone,omitempty"`
}

// Change is one row of both reports.
type Change struct {
	Row       string `json:"row"`
	Transport string `json:"transport"`
	Of        string `json:"of,omitempty"`

	// Old and New are the medians in Unit: "MB/s", or "s" where the times are
	// what is compared. 0: failed.
	Old  float64 `json:"old"`
	New  float64 `json:"new"`
	Unit string  `json:"unit"`

	// Ratio is above 1 if the row became better: the new rate over the old, or
	// the old time over the new. Noise is its uncertainty, from that of both
	// medians. 0 if either failed.
	Ratio float64 `json:"ratio"`
	Noise float64 `json:"noise"`

	// P is the two-sided p-value of the Mann-Whitney U test over the runs, Tie
	// that it is at least 0.05.
	P   float64 `json:"p"`
	Tie bool    `json:"tie"`

	OldError string `json:"old_error,omitempty"`
	NewError string `json:"new_error,omitempty"`
}

// Compare says what changed from old to new. Rows are the same if transport,
// role, direction, link, sweep value, state, streams and chunk size are.
func Compare(before, now *result.Report) *Changes {
	c := &Changes{Differ: differing(before, now)}
	var met []int
	for _, res := range now.Results {
		i := slices.IndexFunc(before.Results, func(other result.Result) bool { return rowKey(now, res) == rowKey(before, other) })
		if i < 0 {
			c.Added = append(c.Added, rowName(now, res))
			continue
		}
		met = append(met, i)
		c.Changes = append(c.Changes, change(now, before.Results[i], res))
	}
	for i, res := range before.Results {
		if !slices.Contains(met, i) {
			c.Gone = append(c.Gone, rowName(before, res))
		}
	}
	c.Verdict = c.verdict()
	return c
}

type rowID struct {
	transport, of, link, sweep, value string
	role                              result.Role
	direction                         result.Direction
	state                             result.OpenState
	mode                              result.Mode
	streams, chunk                    int
}

func rowKey(r *result.Report, res result.Result) rowID {
	k := rowID{
		transport: res.Transport, of: res.Of, link: res.Link, value: res.SweepValue, role: res.Role, direction: res.Direction,
		state: res.State, mode: r.Settings.Mode, streams: max(res.Streams, 1), chunk: res.ChunkSize,
	}
	if r.Settings.Sweep != nil {
		k.sweep = r.Settings.Sweep.Key
	}
	return k
}

func rowName(r *result.Report, res result.Result) string {
	return fmt.Sprintf("%s %s on %s", carrierName(res), res.Direction, where(r, res.Link, res.SweepValue, res.State))
}

func change(r *result.Report, before, now result.Result) Change {
	c := Change{Row: rowName(r, now), Transport: now.Transport, Of: now.Of, Unit: "MB/s", P: 1}
	x, y := values(r.Settings.Mode, before), values(r.Settings.Mode, now)
	timed := r.Settings.Mode == result.Messages || r.Settings.Mode == result.Open
	if timed {
		c.Unit = "s"
	}
	c.OldError, c.NewError = failure(before), failure(now)
	if c.OldError == "" {
		c.Old = stats.Median(x)
	}
	if c.NewError == "" {
		c.New = stats.Median(y)
	}
	if c.Old == 0 || c.New == 0 {
		return c
	}
	c.Ratio = c.New / c.Old
	if timed {
		c.Ratio = c.Old / c.New
	}
	c.Noise = c.Ratio * math.Hypot(uncertainty(before), uncertainty(now))
	c.P = stats.MannWhitney(x, y)
	c.Tie = c.P >= 0.05
	return c
}

func values(mode result.Mode, res result.Result) []float64 {
	if mode != result.Messages && mode != result.Open {
		return res.Rates
	}
	var out []float64
	for _, run := range res.Runs {
		if run.MedianSeconds > 0 {
			out = append(out, run.MedianSeconds)
		}
	}
	return out
}

func uncertainty(res result.Result) float64 {
	if res.Uncertainty > 0 {
		return res.Uncertainty
	}
	return res.Spread
}

func failure(res result.Result) string {
	switch {
	case res.Verified:
		return ""
	case res.Error == "":
		return "not verified"
	}
	return res.Error
}

// differing lists the circumstances that were not the same.
func differing(before, now *result.Report) []string {
	var out []string
	add := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s: %s, was %s", what, is, was))
		}
	}
	machine := func(m result.Machine) string {
		return fmt.Sprintf("%s/%s with %s", m.OS, m.Arch, plural(m.CPUs, "CPU"))
	}
	b, n := before.Settings, now.Settings
	add("machine", machine(before.Machine), machine(now.Machine))
	add("mode", string(b.Mode), string(n.Mode))
	add("content", size.Bytes(b.Bytes).String(), size.Bytes(n.Bytes).String())
	add("high-water mark", HighWaters(before), HighWaters(now))
	add("programs", Programs(before.Machine), Programs(now.Machine))
	add("message", size.Bytes(b.MessageBytes).String(), size.Bytes(n.MessageBytes).String())
	add("seed", fmt.Sprint(b.Seed), fmt.Sprint(n.Seed))
	for _, l := range now.Links {
		if was, ok := before.FindLink(l.Name); ok {
			add("link "+l.Name, was.Kind+" "+was.Spec, l.Kind+" "+l.Spec)
			add("TCP on "+l.Name, was.TCP, l.TCP)
		}
	}
	return out
}

func (c *Changes) verdict() string {
	var better, worse, ties, broke, mended int
	var worst Change
	for _, ch := range c.Changes {
		switch {
		case ch.NewError != "" && ch.OldError == "":
			broke++
		case ch.NewError == "" && ch.OldError != "":
			mended++
		case ch.Ratio == 0:
		case ch.Tie:
			ties++
		case ch.Ratio >= 1:
			better++
		default:
			worse++
			if worst.Ratio == 0 || ch.Ratio < worst.Ratio {
				worst = ch
			}
		}
	}
	if len(c.Changes) == 0 {
		return "The two comparisons have no row in common: nothing to compare."
	}
	s := fmt.Sprintf("Of %s, %d became better, %d worse and %d are within the noise.", plural(len(c.Changes), "row"), better, worse, ties)
	if worse > 0 {
		s += fmt.Sprintf(" The worst is %s, at %s times what it was.", worst.Row, ratioText(worst))
	}
	if broke > 0 {
		s += fmt.Sprintf(" %s no longer: see the errors.", pluralVerb(broke, "row works", "rows work"))
	}
	if mended > 0 {
		s += fmt.Sprintf(" %s again.", pluralVerb(mended, "row works", "rows work"))
	}
	if len(c.Differ) > 0 {
		s += " The circumstances differ, so a change may be theirs."
	}
	return s
}

func pluralVerb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func ratioText(c Change) string {
	// The noise says how many digits of the ratio mean something.
	decimals := 2
	if c.Noise > 0 && c.Noise < 0.01 {
		decimals = 3
	}
	return fmt.Sprintf("%.*f ± %.*f", decimals, c.Ratio, decimals, c.Noise)
}
