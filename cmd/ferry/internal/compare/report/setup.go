package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// setup is what somebody must know to repeat or doubt the figures.
func setup(r *result.Report) []fact {
	m, s := r.Machine, r.Settings
	facts := []fact{
		{"Machine", fmt.Sprintf("%s/%s, %s", m.OS, m.Arch, plural(m.CPUs, "CPU"))},
		{"Programs", Programs(m)},
		{"When", r.Time.UTC().Format("2006-01-02 15:04 UTC") + ", took " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String()},
		{"Mode", string(s.Mode)},
		{"Content", fmt.Sprintf("%s, %s (%d bytes)", s.File, size.Bytes(s.Bytes), s.Bytes)},
		{"BLAKE3", s.BLAKE3},
		{"Chunk size", size.Bytes(s.ChunkSize).String()},
		{"High-water mark", HighWaters(r)},
		{"Streams", strconv.Itoa(max(s.Streams, 1))},
		{"Runs", runs(s) + cutOff(s)},
		{"Seed", strconv.FormatUint(s.Seed, 10)},
	}
	if s.MessageBytes > 0 {
		facts = append(facts, fact{"Message", size.Bytes(s.MessageBytes).String()})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// Programs are the versions of what ran.
func Programs(m result.Machine) string {
	words := []string{m.Go}
	if m.Ferry != "" {
		words = []string{"ferry " + m.Ferry, m.Go}
	}
	for _, l := range m.Libraries {
		words = append(words, strings.TrimPrefix(l.Path, "github.com/")+" "+l.Version)
	}
	return strings.Join(words, ", ")
}

// HighWaters says how much the senders let each channel buffer: what was chosen,
// or what suits it. "" if no row has one.
func HighWaters(r *result.Report) string {
	var marks []string
	for _, res := range r.Results {
		if res.Role != result.Transport || res.HighWater == 0 {
			continue
		}
		if m := fmt.Sprintf("%s %s", res.Transport, size.Bytes(res.HighWater)); !slices.Contains(marks, m) {
			marks = append(marks, m)
		}
	}
	switch {
	case len(marks) == 0:
		return ""
	case r.Settings.HighWater > 0:
		return "chosen: " + strings.Join(marks, ", ")
	default:
		return "what suits each channel: " + strings.Join(marks, ", ")
	}
}

func cutOff(s result.Settings) string {
	if s.RunSeconds == 0 {
		return ", in alternation"
	}
	return ", in alternation; a run is cut off after " + chosenDuration(s.RunSeconds)
}
