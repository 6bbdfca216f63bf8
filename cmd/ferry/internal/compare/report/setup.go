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

// command is what to type to repeat the comparison.
func command(r *result.Report) string {
	s := r.Settings
	var words []string
	add := func(wanted bool, flag, value string) {
		if wanted {
			words = append(words, flag, quoted(value))
		}
	}
	kernel, cc := false, ""
	for _, l := range r.Links {
		add(l.Kind != "real", "--link", l.Name)
		kernel = kernel || l.Kind == "kernel"
		if l.TCP != "" {
			cc = l.TCP
		}
	}
	add(s.Mode != result.Bulk && s.Mode != "", "--mode", string(s.Mode))
	if kernel {
		words = append(words, "--link-kernel")
	}
	add(cc != "", "--cc", cc)
	names, same := transportsOf(r)
	add(same, "--transports", strings.Join(names, ","))
	if s.Sweep != nil {
		add(true, "--sweep", s.Sweep.Key+"="+strings.Join(s.Sweep.Values, ","))
	}
	random := s.File == "random bytes" || s.File == ""
	add(s.Mode == result.Bulk && random, "--size", exact(s.Bytes))
	add(s.Mode == result.Bulk && !random, "--file", s.File)
	add(s.Mode == result.Messages, "--message-size", exact(int64(s.MessageBytes)))
	add(s.ChunkSize > 0, "--chunk-size", exact(int64(s.ChunkSize)))
	add(s.HighWater > 0, "--high-water", exact(int64(s.HighWater)))
	add(s.Streams > 1, "--streams", strconv.Itoa(s.Streams))
	add(true, "--runs", strconv.Itoa(s.Runs))
	add(s.RunSeconds > 0, "--run-time", flagTime(s.RunSeconds))
	add(s.MaxSeconds > 0, "--max-time", flagTime(s.MaxSeconds))
	add(true, "--seed", strconv.FormatUint(s.Seed, 10))
	if !s.Baselines {
		words = append(words, "--baselines=false")
	}
	return "ferry compare " + strings.Join(words, " ")
}

// transportsOf are the transports compared, and whether they were the same on
// every link.
func transportsOf(r *result.Report) (names []string, same bool) {
	for i, l := range r.Links {
		var here []string
		for _, res := range r.Results {
			if res.Link == l.Name && res.Role != result.Baseline && !slices.Contains(here, res.Transport) {
				here = append(here, res.Transport)
			}
		}
		if i > 0 && !slices.Equal(here, names) {
			return nil, false
		}
		names = here
	}
	return names, len(names) > 0
}

// flagTime is a time as a flag takes it.
func flagTime(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond).String()
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
	{result.MarkBusy, "Other programs used the processor while it ran."},
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
