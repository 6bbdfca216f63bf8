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
		{"Machine", fmt.Sprintf("%s/%s, %s, %s", m.OS, m.Arch, plural(m.CPUs, "CPU"), m.Go)},
		{"When", r.Time.UTC().Format("2006-01-02 15:04 UTC") + ", took " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String()},
		{"Mode", string(s.Mode)},
		{"Content", fmt.Sprintf("%s, %s (%d bytes)", s.File, size.Bytes(s.Bytes), s.Bytes)},
		{"BLAKE3", s.BLAKE3},
		{"Chunk size", size.Bytes(s.ChunkSize).String()},
		{"Send window", fmt.Sprintf("%s that a channel may buffer", size.Bytes(s.HighWater))},
		{"Streams", strconv.Itoa(max(s.Streams, 1))},
		{"Runs", fmt.Sprintf("%d each, after %s, in alternation; a run is cut off after %s", s.Runs, plural(s.WarmUps, "warm-up"), duration(s.RunSeconds))},
		{"Seed", strconv.FormatUint(s.Seed, 10)},
	}
	if s.MessageBytes > 0 {
		facts = append(facts, fact{"Message", size.Bytes(s.MessageBytes).String()})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// command is what to type to repeat the comparison.
func command(r *result.Report) string {
	s := r.Settings
	words := []string{"ferry", "compare"}
	if s.Mode != result.Bulk && s.Mode != "" {
		words = append(words, "--mode", string(s.Mode))
	}
	for _, l := range r.Links {
		if l.Kind != "loopback" && l.Kind != "real" {
			words = append(words, "--link", l.Name)
		}
	}
	if slices.ContainsFunc(r.Links, func(l result.Link) bool { return l.Kind == "kernel" }) {
		words = append(words, "--link-kernel")
	}
	var names []string
	for _, res := range r.Results {
		if res.Role != result.Baseline && !slices.Contains(names, res.Transport) {
			names = append(names, res.Transport)
		}
	}
	if len(names) > 0 {
		words = append(words, "--transports", strings.Join(names, ","))
	}
	if s.Sweep != nil {
		words = append(words, "--sweep", s.Sweep.Key+"="+strings.Join(s.Sweep.Values, ","))
	}
	if s.File == "random bytes" || s.File == "" {
		words = append(words, "--size", exact(s.Bytes))
	} else {
		words = append(words, "--file", s.File)
	}
	words = append(words, "--chunk-size", exact(int64(s.ChunkSize)))
	if s.Streams > 1 {
		words = append(words, "--streams", strconv.Itoa(s.Streams))
	}
	words = append(words, "--runs", strconv.Itoa(s.Runs), "--seed", strconv.FormatUint(s.Seed, 10))
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// exact writes n so that the flag reads the same number again.
func exact(n int64) string {
	text := strings.ReplaceAll(size.Bytes(n).String(), " ", "")
	if again, err := size.Parse(text); err != nil || int64(again) != n {
		return strconv.FormatInt(n, 10)
	}
	return text
}

// quoted is word for a shell.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_=.,:/%+@", c)
	}
	if word != "" && !strings.ContainsFunc(word, func(c rune) bool { return !plain(c) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// explained says what the limits and marks are, for who meets them first.
var explained = []term{
	{result.LimitLink, "The link carries as many bytes as it can. Only a faster link helps."},
	{result.LimitWindow, "A sender may have only so many bytes under way; when the round trip is long it waits for acknowledgements. Rate = window / round trip. A larger window or more streams help."},
	{result.LimitLoss, "The link loses packets, and congestion control slows down at each loss as if the link were full. More streams, or a congestion control that does not take loss for congestion, help."},
	{result.LimitCongestion, "The queue before the slowest part of the way fills up, drops packets, and congestion control slows down."},
	{result.LimitCPU, "The processor is busy, not the link."},
	{result.LimitApplication, "The channel waited for the program: for the disk, the hash, or an answer."},
	{result.LimitSlowStart, "A connection begins slowly and grows; the run was over before it had grown. A larger file shows the rate that lasts."},
	{result.LimitRoundTrips, "The time is that of the way there and back, repeated. Fewer round trips or a nearer server help."},
}

var explainedMarks = []term{
	{result.MarkEmulator, "The emulated link itself took more than half a processor, or was late: the figure may be too low."},
	{result.MarkSpread, "The runs differ too much, also after more of them: trust the order of magnitude only."},
	{result.MarkOutage, "The link has outages and the runs were too short to meet one."},
	{result.MarkFewRuns, "Time was up before all runs were made."},
}

// terms explains the limits and marks that occur in r.
func terms(r *result.Report) []term {
	seen := map[string]bool{}
	for _, res := range r.Results {
		if res.Limit != nil && res.Role == result.Transport {
			seen[res.Limit.Name] = true
		}
		for _, m := range res.Marks {
			seen[m.Name] = true
		}
	}
	var out []term
	for _, t := range slices.Concat(explained, explainedMarks) {
		if seen[t.Name] {
			out = append(out, t)
		}
	}
	return out
}
