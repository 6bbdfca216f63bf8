package compare

import (
	"math/rand/v2"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// No row is above its link's ceiling, however late the counters were read after
// the last delivered byte, and whatever the runs did.
func TestNoRowIsAboveItsLinksCeiling(t *testing.T) {
	const text = "rate=8mbit" // 1 MB/s
	spec, err := link.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		l := &lane{carrier: carrier.Memory(), dir: result.Up, want: 1, point: &point{line: Line{Name: "l", Emulated: true, Text: text}, spec: spec}}
		l.carrier.Role = result.Baseline
		for range 1 + random.IntN(5) {
			seconds := 0.5 + random.Float64()
			delivered := int64(seconds * 1e6 * (0.5 + 0.5*random.Float64()))
			arrived := delivered + int64(random.Float64()*seconds*1e6/3) // more than the link carries in the time, at times
			l.runs = append(l.runs, run{Run: result.Run{
				Seconds: seconds, DeliveredBytes: delivered, MBPerS: float64(delivered) / 1e6 / seconds,
				Wire: &result.Wire{Bytes: arrived, ArrivedBytes: arrived},
			}})
		}
		res := l.result(Config{Mode: result.Bulk})
		if c := res.Ceilings[0]; !res.Verified || res.MBPerS > c.MBPerS*(1+1e-9) || c.MBPerS > 1 {
			t.Fatalf("%v MB/s under a ceiling of %v, verified %v (%s)", res.MBPerS, c.MBPerS, res.Verified, res.Error)
		}
	}
}
