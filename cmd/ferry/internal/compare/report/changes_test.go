package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// later is standard() as another run of it could be.
func later(change func(*result.Result)) *result.Report {
	r := standard()
	for i := range r.Results {
		res := &r.Results[i]
		res.Runs, res.Rates = slices.Clone(res.Runs), slices.Clone(res.Rates)
		change(res)
	}
	return r
}

func scaled(res *result.Result, by float64) {
	for i := range res.Rates {
		res.Rates[i] *= by
		res.Runs[i].MBPerS *= by
	}
	res.MBPerS *= by
}

// changed is a comparison with every kind of change in it.
func changed() *Changes {
	before := later(func(res *result.Result) {
		if res.Transport == "quic" && res.Link == "dsl" && res.Direction == result.Up {
			res.Verified, res.Error, res.Rates, res.Runs = false, "open quic: no answer from <nil>", nil, nil
		}
	})
	now := later(func(res *result.Result) {
		switch {
		case res.Transport == "ws" && res.Link == "lan":
			scaled(res, 1.2)
		case res.Transport == "webrtc" && res.Link == "dsl":
			scaled(res, 0.8)
		case res.Transport == "webrtc" && res.Link == "lan" && res.Direction == result.Down:
			res.Verified, res.Error = false, "compare: content differs at the receiver"
		}
	})
	now.Machine.CPUs = 8
	now.Results[0].Transport = "wt"
	return Compare(before, now)
}

func TestChangesGolden(t *testing.T) {
	for _, format := range ChangesFormats() {
		t.Run(format, func(t *testing.T) {
			var b bytes.Buffer
			if err := WriteChanges(&b, Format(format), changed()); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			if Format(format) == HTML {
				got = withoutStyle(got)
			}
			golden(t, "changes."+format, []byte(got))
		})
	}
}

func withoutStyle(page string) string {
	start, end := strings.Index(page, "<style>"), strings.Index(page, "</style>")
	return page[:start] + page[end:]
}

// A report against itself has no change, whatever its mode.
func TestCompareWithItself(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			c := Compare(f.make(), f.make())
			if len(c.Changes) != len(f.make().Results) || len(c.Added)+len(c.Gone)+len(c.Differ) > 0 {
				t.Errorf("%d rows of %d, added %q, gone %q, differ %q", len(c.Changes), len(f.make().Results), c.Added, c.Gone, c.Differ)
			}
			for _, ch := range c.Changes {
				if ch.OldError == "" && (ch.Ratio != 1 || !ch.Tie || ch.P != 1) {
					t.Errorf("%s: ratio %v, p %v, tie %v", ch.Row, ch.Ratio, ch.P, ch.Tie)
				}
			}
		})
	}
}

// Above 1 is better, of rates and of times.
func TestRatioIsBetter(t *testing.T) {
	half := later(func(res *result.Result) { scaled(res, 0.5) })
	for _, ch := range Compare(standard(), half).Changes {
		if math.Abs(ch.Ratio-0.5) > 1e-9 || ch.Tie {
			t.Errorf("%s at half its rate: %v, tie %v", ch.Row, ch.Ratio, ch.Tie)
		}
	}
	slow := messages()
	for i := range slow.Results {
		for k := range slow.Results[i].Runs {
			slow.Results[i].Runs[k].MedianSeconds *= 2
		}
	}
	for _, ch := range Compare(messages(), slow).Changes {
		if math.Abs(ch.Ratio-0.5) > 1e-9 || ch.Unit != "s" {
			t.Errorf("%s at twice its time: %v %s", ch.Row, ch.Ratio, ch.Unit)
		}
	}
}

// A difference that three runs cannot show is a tie, however large.
func TestTooFewRunsTie(t *testing.T) {
	cut := func(res *result.Result) { res.Rates = res.Rates[:3] }
	now := later(func(res *result.Result) { cut(res); scaled3(res) })
	for _, ch := range Compare(later(cut), now).Changes {
		if !ch.Tie {
			t.Errorf("%s: three runs against three, p %v, no tie", ch.Row, ch.P)
		}
	}
}

func scaled3(res *result.Result) {
	for i := range res.Rates {
		res.Rates[i] *= 3
	}
}

func ExampleCompare() {
	before, now := standard(), later(func(res *result.Result) {
		if res.Transport == "webrtc" && res.Link == "dsl" {
			scaled(res, 0.8)
		}
	})
	fmt.Println(Compare(before, now).Verdict)
	// Output: Of 36 rows, 0 became better, 2 worse and 34 are within the noise. The worst is webrtc up on dsl, at 0.80 ± 0.01 times what it was.
}
