package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// digits writes x with about three significant digits.
func digits(x float64) string {
	switch a := math.Abs(x); {
	case a == 0:
		return "0"
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(x, 'f', 2, 64)
	default:
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
}

func rateText(mbPerS float64) string { return digits(mbPerS) + " MB/s" }

func percent(share float64) string {
	if p := 100 * share; p != 0 && math.Abs(p) < 1 {
		return strconv.FormatFloat(p, 'g', 1, 64) + " %"
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
}

func spreadText(spread float64) string {
	if spread < 0.01 {
		return fmt.Sprintf("±%.1f %%", 100*spread)
	}
	return "±" + percent(spread)
}

// bits writes a rate of a link.
func bits(perSecond int64) string {
	switch x := float64(perSecond); {
	case perSecond == 0:
		return "not limited"
	case x >= 1e9:
		return digits3(x/1e9) + " Gbit/s"
	case x >= 1e6:
		return digits3(x/1e6) + " Mbit/s"
	default:
		return digits3(x/1e3) + " kbit/s"
	}
}

// digits3 writes a chosen number, such as a link's rate: no zeros at the end.
func digits3(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func duration(seconds float64) string {
	switch {
	case seconds == 0:
		return "0"
	case seconds < 1e-3:
		return digits(seconds*1e6) + " µs"
	case seconds < 1:
		return digits(seconds*1e3) + " ms"
	default:
		return digits(seconds) + " s"
	}
}

// chosenDuration writes a time that somebody chose: no zeros at the end.
func chosenDuration(seconds float64) string {
	switch {
	case seconds < 0.999e-3:
		return digits3(math.Round(seconds*1e8)/100) + " µs"
	case seconds < 0.999:
		return digits3(math.Round(seconds*1e5)/100) + " ms"
	}
	return digits3(seconds) + " s"
}

// carrierName is a row's transport; a baseline is told apart.
func carrierName(res result.Result) string {
	if res.Role != result.Baseline {
		return res.Transport
	}
	return "raw " + strings.TrimPrefix(res.Transport, "raw ") + ", for " + res.Of
}

// where names the link, the sweep value and the state of a row.
func where(r *result.Report, link, value string, state result.OpenState) string {
	parts := []string{link}
	if value != "" && r.Settings.Sweep != nil {
		parts = append(parts, r.Settings.Sweep.Key+" "+value)
	}
	if state != "" {
		parts = append(parts, string(state))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
