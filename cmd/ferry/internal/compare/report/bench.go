package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// writeBench writes one line for each run of a result that can be trusted, in
// the format of Go benchmarks
// (https://go.dev/design/14313-benchmark-format), so that benchstat does the
// statistics:
//
//	ferry compare --format bench | benchstat -col /transport -
//
// B/s is what was delivered, sec/op what one transfer of the whole file took
// (left out of a run that was cut off), or in the modes messages and open one
// operation in the middle. Runs that are not to be trusted are "--- FAIL".
func writeBench(w io.Writer, r *result.Report) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "goos: %s\ngoarch: %s\npkg: github.com/chunkferry/chunkferry/cmd/ferry\n", r.Machine.OS, r.Machine.Arch)
	fmt.Fprintf(b, "go: %s\nmode: %s\nfile-bytes: %d\nseed: %d\n", r.Machine.Go, r.Settings.Mode, r.Settings.Bytes, r.Settings.Seed)
	fmt.Fprint(b, "Unit cpu-sec/GB better=lower\nUnit rss-bytes better=lower\nUnit wire/payload better=lower\n\n")
	for _, res := range r.Results {
		name := benchName(r, res)
		if !res.Verified {
			fmt.Fprintf(b, "--- FAIL: %s: %s\n", name, strings.Join(strings.Fields(res.Error), " "))
			continue
		}
		for _, run := range res.Runs {
			if values := benchValues(r.Settings.Mode, run); len(values) > 0 {
				fmt.Fprintf(b, "%s 1 %s\n", name, strings.Join(values, " "))
			}
		}
	}
	return b.Flush()
}

func benchName(r *result.Report, res result.Result) string {
	keys := []string{
		"transport=" + benchWord(res.Transport),
		"role=" + benchWord(string(res.Role)),
		"direction=" + benchWord(string(res.Direction)),
		"link=" + benchWord(res.Link),
		"chunk=" + benchWord(strings.ReplaceAll(size.Bytes(res.ChunkSize).String(), " ", "")),
		"streams=" + strconv.Itoa(max(res.Streams, 1)),
	}
	if s := r.Settings.Sweep; s != nil && res.SweepValue != "" && s.Key != "chunk-size" && s.Key != "streams" {
		keys = append(keys, benchWord(s.Key)+"="+benchWord(res.SweepValue))
	}
	if res.State != "" {
		keys = append(keys, "state="+benchWord(string(res.State)))
	}
	// The number of processors ends the name as go test writes it: without it
	// a value such as "3-2" would be cut.
	return "BenchmarkCompare/" + strings.Join(keys, "/") + "-" + strconv.Itoa(max(r.Machine.CPUs, 1))
}

// benchWord leaves out what would end a key or a name.
func benchWord(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }), "_")
}

func benchValues(mode result.Mode, run result.Run) []string {
	var out []string
	add := func(x float64, unit string) {
		if x > 0 {
			out = append(out, number(x)+" "+unit)
		}
	}
	switch {
	case mode == result.Messages || mode == result.Open:
		add(run.MedianSeconds*1e9, "ns/op")
	case run.Complete:
		add(run.Seconds*1e9, "ns/op")
	}
	add(run.MBPerS, "MB/s")
	if mode == result.Bulk {
		if run.DeliveredBytes > 0 {
			add(run.CPUSeconds/(float64(run.DeliveredBytes)/1e9), "cpu-sec/GB")
		}
		if run.Wire != nil && run.DeliveredBytes > 0 {
			add(float64(run.Wire.Bytes)/float64(run.DeliveredBytes), "wire/payload")
		}
		add(float64(run.PeakRSSBytes), "rss-bytes")
	}
	return out
}
