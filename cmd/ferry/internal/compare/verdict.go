package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// significance is the p-value from which on two samples differ.
const significance = 0.05

// alike is up to which ratio of medians two transports that no test tells apart
// are called a tie. Beyond it, the test only says that the runs differ too much.
const alike = 1.25

// place is where rows compete with each other.
type place struct{ link, value string }

// contender is a transport at a place, up and down taken together.
type contender struct {
	name   string
	figure float64   // MB/s or seconds, the median
	runs   []float64 // the same for each run
	rows   []result.Result
}

// conclude fills in the comparisons and verdicts of a report.
func conclude(r *result.Report) {
	smaller := r.Settings.Mode != result.Bulk
	var places []place
	for _, res := range r.Results {
		if p := (place{res.Link, res.SweepValue}); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	groups := map[string][]string{} // places by who is first there
	var order []string
	for _, p := range places {
		r.Comparisons = append(r.Comparisons, compareRows(r, p, smaller)...)
		ranking := rank(r, p, smaller)
		text, first := verdictAt(r, p, ranking, smaller)
		if text == "" {
			continue
		}
		r.Verdicts = append(r.Verdicts, result.LinkVerdict{Link: p.link, SweepValue: p.value, Text: text})
		if !slices.Contains(order, first) {
			order = append(order, first)
		}
		groups[first] = append(groups[first], p.String(r))
	}
	var out []string
	switch len(r.Verdicts) {
	case 0:
	case 1:
		out = append(out, r.Verdicts[0].Text)
	default:
		word := "Fastest"
		if smaller {
			word = "Quickest"
		}
		var parts []string
		for _, first := range order {
			parts = append(parts, first+" on "+join(groups[first]))
		}
		out = append(out, word+": "+strings.Join(parts, "; ")+".")
	}
	var failed []string
	for _, res := range r.Results {
		if !res.Verified {
			name := fmt.Sprintf("%s %s", res.Transport, res.Direction)
			if len(places) > 1 {
				name += " on " + place{res.Link, res.SweepValue}.String(r)
			}
			failed = append(failed, name)
		}
	}
	if len(failed) > 0 {
		out = append(out, "Failed: "+strings.Join(failed, ", ")+".")
	}
	if len(out) == 0 {
		out = append(out, "No transport with a network was compared.")
	}
	r.Verdict = strings.Join(out, " ")
}

func (p place) String(r *result.Report) string {
	if p.value == "" {
		return p.link
	}
	at := fmt.Sprintf("%s=%s", r.Settings.Sweep.Key, p.value)
	if len(r.Links) > 1 {
		return p.link + " with " + at
	}
	return at
}

// figuresOf are the runs of a row: rates, or times where smaller is better.
func figuresOf(res result.Result, smaller bool) []float64 {
	if !smaller {
		return res.Rates
	}
	var out []float64
	for _, r := range res.Runs {
		out = append(out, r.MedianSeconds)
	}
	return out
}

// test compares two samples: whether they tie, and how likely the difference
// is by chance.
func test(x, y []float64) (p float64, tie bool) {
	p = stats.MannWhitney(x, y)
	return p, p >= significance
}

// compareRows tests every two transports in each direction.
func compareRows(r *result.Report, at place, smaller bool) []result.Comparison {
	var all []result.Comparison
	for i, a := range r.Results {
		for _, b := range r.Results[i+1:] {
			if !a.Competes() || !b.Competes() || a.Direction != b.Direction || a.State != b.State ||
				(place{a.Link, a.SweepValue}) != at || (place{b.Link, b.SweepValue}) != at {
				continue
			}
			x, y := figuresOf(a, smaller), figuresOf(b, smaller)
			mx, my := stats.Median(x), stats.Median(y)
			c := result.Comparison{Link: at.link, SweepValue: at.value, Direction: a.Direction, State: a.State, Better: a.Transport, Worse: b.Transport}
			if mx == my || (mx < my) != smaller {
				c.Better, c.Worse = b.Transport, a.Transport
				mx, my = my, mx
			}
			if smaller {
				mx, my = my, mx
			}
			if my > 0 {
				c.Ratio = mx / my
			}
			c.P, c.Tie = test(x, y)
			all = append(all, c)
		}
	}
	return all
}

// rank orders the transports at a place, the best first. What one needs for a
// trip up and one down counts: the harmonic mean of rates, the sum of times.
func rank(r *result.Report, at place, smaller bool) []contender {
	var all []contender
	for _, up := range r.Results {
		if (place{up.Link, up.SweepValue}) != at || !up.Competes() || up.Direction != result.Up || up.State != "" && up.State != result.Cold {
			continue
		}
		i := slices.IndexFunc(r.Results, func(d result.Result) bool {
			return d.Competes() && d.Transport == up.Transport && d.Direction == result.Down && d.State == up.State && (place{d.Link, d.SweepValue}) == at
		})
		if i < 0 {
			continue
		}
		c := contender{name: up.Transport, rows: []result.Result{up, r.Results[i]}}
		x, y := figuresOf(up, smaller), figuresOf(r.Results[i], smaller)
		for j := range min(len(x), len(y)) {
			if smaller {
				c.runs = append(c.runs, (x[j]+y[j])/2)
			} else {
				c.runs = append(c.runs, 2/(1/x[j]+1/y[j]))
			}
		}
		if c.figure = stats.Median(c.runs); c.figure > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b contender) int {
		if (a.figure < b.figure) == smaller {
			return -1
		}
		return 1
	})
	return all
}

// verdictAt is the conclusion for one place, and who is first there.
func verdictAt(r *result.Report, at place, ranking []contender, smaller bool) (text, first string) {
	if len(ranking) == 0 {
		return "", ""
	}
	best := ranking[0]
	where := at.String(r)
	if len(ranking) == 1 {
		text := fmt.Sprintf("%s: only %s took part, with %s: nothing to compare it with.", where, best.name, bothWays(best, smaller))
		if !smaller {
			text += limitSentence(best)
		}
		return text, best.name
	}
	tied := []string{best.name}
	var rest, unsure []contender
	for _, c := range ranking[1:] {
		_, tie := test(best.runs, c.runs)
		switch {
		case tie && ratio(best, c) < alike:
			tied = append(tied, c.name)
		case tie:
			unsure = append(unsure, c)
		default:
			rest = append(rest, c)
		}
	}
	word := "fastest"
	if smaller {
		word = "quickest"
	}
	var s strings.Builder
	few := stats.LeastP(len(best.runs), len(best.runs)) >= significance
	switch {
	case few:
		// No test can tell them apart: say what was seen, and what it is worth.
		tied, rest, unsure = tied[:1], ranking[1:], nil
		remedy := "--runs 5"
		if len(best.runs) < r.Settings.Runs {
			remedy = "more --max-time"
		}
		fmt.Fprintf(&s, "%s: %s was the %s, but %s cannot rule out chance (give it %s)", where, best.name, word, plural(len(best.runs), "run"), remedy)
	case len(tied) > 1:
		fmt.Fprintf(&s, "%s: %s tie as the %s, choose by something else", where, join(tied), word)
	default:
		fmt.Fprintf(&s, "%s: choose %s, the %s", where, best.name, word)
	}
	fmt.Fprintf(&s, ": %s", bothWays(best, smaller))
	if len(rest) > 0 {
		var parts []string
		for _, c := range rest {
			if smaller {
				parts = append(parts, fmt.Sprintf("%s takes %s times as long", c.name, factor(ratio(best, c))))
			} else {
				parts = append(parts, times(ratio(best, c))+" "+c.name)
			}
		}
		if smaller {
			fmt.Fprintf(&s, "; %s", join(parts))
		} else {
			fmt.Fprintf(&s, ", which is %s", join(parts))
		}
	}
	s.WriteString(".")
	for _, c := range unsure {
		fmt.Fprintf(&s, " The runs of %s differ too much to rule out that it is as good; its median is %s times worse.", c.name, factor(ratio(best, c)))
	}
	if !smaller {
		s.WriteString(limitSentence(best))
	}
	return s.String(), strings.Join(tied, " = ")
}

// ratio is how many times better one is than another, whatever is better.
func ratio(best, other contender) float64 {
	return max(best.figure/other.figure, other.figure/best.figure)
}

// bothWays are the figures of a transport in each direction.
func bothWays(c contender, smaller bool) string {
	up, down := stats.Median(figuresOf(c.rows[0], smaller)), stats.Median(figuresOf(c.rows[1], smaller))
	return fmt.Sprintf("%s up and %s down", amount(up, smaller), amount(down, smaller))
}

// limitSentence says what limits a transport and what to change.
func limitSentence(c contender) string {
	up, down := c.rows[0].Limit, c.rows[1].Limit
	switch {
	case up == nil || down == nil:
		return ""
	case up.Name == down.Name && up.Setting == down.Setting:
		return fmt.Sprintf(" What limits it is %s; to go faster: %s.", limitWord(up.Name), up.Setting)
	default:
		return fmt.Sprintf(" What limits it up is %s; to go faster: %s. Down it is %s; to go faster: %s.",
			limitWord(up.Name), up.Setting, limitWord(down.Name), down.Setting)
	}
}

func limitWord(name string) string {
	switch name {
	case result.LimitLink:
		return "the link itself"
	case result.LimitCPU:
		return "the processor"
	case result.LimitLoss:
		return "the loss of packets"
	case result.LimitCongestion:
		return "congestion control"
	case result.LimitWindow:
		return "a window too small for the round trip"
	case result.LimitPath:
		return "the path or its other end"
	case result.LimitSlowStart:
		return "the time that a connection takes to speed up"
	default:
		return "the " + name
	}
}

// times says how many times as fast something is, where hardly anybody would
// notice a difference in words.
func times(x float64) string {
	if x < 1.05 {
		return "hardly more than"
	}
	return factor(x) + " times"
}

func factor(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func amount(x float64, seconds bool) string {
	if seconds {
		return time.Duration(x * float64(time.Second)).Round(10 * time.Microsecond).String()
	}
	if x < 10 {
		return fmt.Sprintf("%.2f MB/s", x)
	}
	return fmt.Sprintf("%.0f MB/s", x)
}

// join writes a list as a sentence has it.
func join(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
