package link

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// The readers and writers of single values. Each reader's error says what to
// write instead; each pair round-trips exactly.

// number reads digits with at most one point, times 10^exponent, correctly
// rounded.
func number(s string, exponent int) (float64, bool) {
	if s == "" || len(s) > 40 || strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(s+"e"+strconv.Itoa(exponent), 64)
	return x, err == nil
}

// decimal writes x, which is not negative, times 10^shift with the digits it needs.
func decimal(x float64, shift int) string {
	whole, frac, _ := strings.Cut(strconv.FormatFloat(x, 'f', -1, 64), ".")
	frac += strings.Repeat("0", max(0, shift-len(frac)))
	s := strings.TrimLeft(whole+frac[:shift], "0")
	if s == "" {
		s = "0"
	}
	if rest := strings.TrimRight(frac[shift:], "0"); rest != "" {
		s += "." + rest
	}
	return s
}

func parseShare(s string) (float64, error) {
	if s == "0" {
		return 0, nil
	}
	digits, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, errors.New("is no percentage: write it like 0.5%")
	}
	x, ok := number(digits, -2)
	if !ok || x > 1 {
		return 0, errors.New("is no percentage from 0% to 100%: write it like 0.5%")
	}
	return x, nil
}

func formatShare(x float64) string { return decimal(x, 2) + "%" }

func parseTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("is no time: write it with its unit, like 50ms or 1.5s")
	case d < 0 || d > emulator.MaxTime:
		return 0, errors.New("is out of bounds: write a time from 0s to " + emulator.MaxTime.String())
	}
	return d, nil
}

// formatTime writes d without the zeros at the end of 1m0s, and with letters that
// every keyboard has.
func formatTime(d time.Duration) string {
	s := strings.Replace(d.String(), "µs", "us", 1)
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}

// unlimited is the rate that does not limit.
const unlimited = "unlimited"

var rateUnits = []struct {
	name     string
	exponent int
}{{"gbit", 9}, {"mbit", 6}, {"kbit", 3}, {"bit", 0}}

func parseRate(s string) (int64, error) {
	lower := strings.ToLower(s)
	if lower == unlimited {
		return 0, nil
	}
	for _, u := range rateUnits {
		digits, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		rate, ok := number(digits, u.exponent)
		if !ok {
			break
		}
		if rate = math.Round(rate); rate < 1 || rate > emulator.MaxRate {
			return 0, errors.New("is out of bounds: write a rate from 1bit to 100gbit, or " + unlimited)
		}
		return int64(rate), nil
	}
	return 0, errors.New("is no rate: write bits per second like 100mbit, 56kbit or 2.5gbit, or " + unlimited)
}

func formatRate(rate int64) string {
	if rate == 0 {
		return unlimited
	}
	for _, u := range rateUnits {
		if unit := int64(math.Pow10(u.exponent)); rate >= unit {
			s := strconv.FormatInt(rate, 10)
			point := len(s) - u.exponent
			if frac := strings.TrimRight(s[point:], "0"); frac != "" {
				return s[:point] + "." + frac + u.name
			}
			return s[:point] + u.name
		}
	}
	return strconv.FormatInt(rate, 10) + "bit"
}

var sizeUnits = []struct {
	name  string
	bytes int
}{{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1}}

const queueHelp = "is no queue: write it like 1bdp (times rate and round trip), 100ms (of the rate) or 64KiB"

func parseQueue(s string) (Queue, error) {
	lower := strings.ToLower(s)
	if digits, ok := strings.CutSuffix(lower, "bdp"); ok {
		x, ok := number(digits, 0)
		if !ok || x < 0.001 || x > 1000 {
			return Queue{}, errors.New("is out of bounds: write 0.001bdp to 1000bdp")
		}
		return Queue{BDP: x}, nil
	}
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(lower, strings.ToLower(u.name))
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return Queue{}, errors.New(queueHelp)
		}
		if n == 0 || n > uint64(maxQueue/u.bytes) {
			return Queue{}, errors.New("is out of bounds: write 1B to 1024MiB")
		}
		return Queue{Bytes: int(n) * u.bytes}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return Queue{}, errors.New(queueHelp)
	}
	if d <= 0 || d > time.Minute {
		return Queue{}, errors.New("is out of bounds: write a time up to 1m")
	}
	return Queue{Time: d}, nil
}

func formatQueue(q Queue) string {
	switch {
	case q.Bytes > 0:
		for _, u := range sizeUnits {
			if q.Bytes%u.bytes == 0 {
				return strconv.Itoa(q.Bytes/u.bytes) + u.name
			}
		}
	case q.Time > 0:
		return formatTime(q.Time)
	case q.BDP > 0:
		return decimal(q.BDP, 0) + "bdp"
	}
	return "1bdp"
}
