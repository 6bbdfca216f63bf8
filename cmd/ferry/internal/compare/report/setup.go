package report

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// setup is what somebody must know to repeat or doubt the figures.
func setup(r *result.Report) []fact {
	m, s := r.Machine, r.Settings
	facts := []fact{
		{"Machine", fmt.Sprintf("%s/%s, %s, %s", m.OS, m.Arch, plural(m.CPUs, "CPU"), m.Go)},
		{"When", r.Time.UTC().Format("2006-01-02 15:04 UTC") + ", took " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String()},
		{"Mode", string(s.Mode)},
		{"Content", fmt.Sprintf("%s, %s (%d bytes)", s.File, size.Bytes(s.Bytes), s.Bytes)},
		{"BLAKE3", s.BLAKE3},
		{"Chunk size", size.Bytes(s.ChunkSize).String()},
		{"Send window", fmt.Sprintf("%s that a channel may buffer", size.Bytes(s.HighWater))},
		{"Streams", strconv.Itoa(max(s.Streams, 1))},
		{"Runs", runs(s) + cutOff(s)},
		{"Seed", strconv.FormatUint(s.Seed, 10)},
	}
	if s.MessageBytes > 0 {
		facts = append(facts, fact{"Message", size.Bytes(s.MessageBytes).String()})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

func cutOff(s result.Settings) string {
	if s.RunSeconds == 0 {
		return ", in alternation"
	}
	return ", in alternation; a run is cut off after " + chosenDuration(s.RunSeconds)
}
