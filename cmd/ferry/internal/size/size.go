// Package size reads and writes numbers of bytes as people do: 64MiB, 1.5GB.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes and a command-line flag.
type Bytes int64

var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// Parse reads a number with a unit. KB, MB, GB and TB are powers of 1000; KiB,
// MiB, GiB, TiB and the bare letters are powers of 1024; without a unit it is
// bytes.
func Parse(s string) (Bytes, error) {
	end := strings.LastIndexAny(s, "0123456789.") + 1
	number, err := strconv.ParseFloat(s[:end], 64)
	factor, known := units[strings.ToLower(strings.TrimSpace(s[end:]))]
	value := math.Round(number * factor)
	if err != nil || !known || !(value >= 0 && value < 1<<62) {
		return 0, fmt.Errorf("%q is not a size: write a number and a unit, such as 48KiB, 64MiB or 1GB", s)
	}
	return Bytes(value), nil
}

// Set implements pflag.Value.
func (b *Bytes) Set(s string) error {
	v, err := Parse(s)
	if err == nil {
		*b = v
	}
	return err
}

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "bytes" }

// String writes the number in the largest binary unit, exact or to a tenth.
func (b Bytes) String() string {
	if b < 1<<10 {
		return fmt.Sprintf("%d B", int64(b))
	}
	value, unit := float64(b), 0
	for value >= 1<<10 && unit < 4 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%s %ciB", strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0"), " KMGT"[unit])
}
