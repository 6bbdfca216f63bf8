package table

import (
	"errors"
	"strings"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

func sample() *result.Report {
	row := func(name string, role result.Role, d result.Direction, mb float64) result.Result {
		return result.Result{
			Transport: name, Role: role, HighWater: map[string]int{"wss": 256 << 10}[name], Direction: d, Link: "wifi", MBPerS: mb, Verified: true, WireOverPayload: 1.05,
			Ceilings: []result.Ceiling{{Name: result.LimitLink, MBPerS: 4}},
			Limit:    &result.Limit{Name: result.LimitLink, Why: "packets fill 97 %", Setting: "a faster link"},
		}
	}
	failed := row("webrtc", result.Transport, result.Down, 0)
	failed.Verified, failed.Error, failed.Limit = false, "compare: transfer stalled", nil
	marked := row("quic", result.Transport, result.Up, 2)
	marked.Marks = []result.Mark{
		{Name: result.MarkSpread, Text: "the median is good to ±30 %"},
		{Name: result.MarkBusy, Text: "other programs used 1.5 of 2 processors"},
	}
	return &result.Report{
		Machine:  result.Machine{Go: "go1.26", Ferry: "v1.0.0", Libraries: []result.Library{{Path: "github.com/coder/websocket", Version: "v1.8.0"}}},
		Settings: result.Settings{Mode: result.Bulk, Runs: 5, Command: "ferry compare --link wifi"},
		Doubts:   []result.Mark{{Name: result.MarkBusy, Text: "in 1 of 5 rows other programs used the processor"}},
		Links:    []result.Link{{Name: "wifi", About: "at home", Kind: "user", TCP: "cubic", Spec: "rtt=2ms"}},
		Results: []result.Result{
			row("wss", result.Transport, result.Up, 3), row("wss", result.Transport, result.Down, 3.5),
			row("tls", result.Baseline, result.Up, 3.9), marked, failed,
		},
		Verdict: "wss is the fastest.",
	}
}

func TestWrite(t *testing.T) {
	var out strings.Builder
	if err := Write(&out, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"wifi: at home\n  rtt=2ms\n  network stack of gVisor in this process, TCP cubic\n",
		"(tls)", "75 %", "88 %", "link !",
		"  link (wss, quic): wss up: packets fill 97 %. To go faster: a faster link.\n",
		"  ! spread (quic): the median is good to ±30 %.\n",
		"\nwebrtc down on wifi: compare: transfer stalled\n", "a channel buffers at most what suits each channel: wss 256 KiB\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if !strings.HasSuffix(out.String(), "\nwss is the fastest.\n\nferry v1.0.0, go1.26, coder/websocket v1.8.0\nTo repeat it: ferry compare --link wifi\n") {
		t.Errorf("verdict, programs and command are not the end of\n%s", &out)
	}
	if n := strings.Count(out.String(), "other programs"); n != 1 {
		t.Errorf("what is about the machine is said %d times in\n%s", n, &out)
	}
}

type full struct{ left int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteTellsErrors(t *testing.T) {
	for room := 0; room < 900; room += 100 {
		if err := Write(&full{room}, sample()); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}
