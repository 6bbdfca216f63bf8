package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// Command is what to type to repeat the comparison.
func Command(r *result.Report) string {
	s := r.Settings
	var words []string
	add := func(wanted bool, flag, value string) {
		if wanted {
			words = append(words, flag, quoted(value))
		}
	}
	kernel, cc := false, ""
	for _, l := range r.Links {
		if l.Kind == "real" {
			words = append(words, "URL") // with its token, which a report does not keep
		} else {
			add(true, "--link", l.Name)
		}
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
