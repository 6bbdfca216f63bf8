package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// shape is what does not change from run to run in a report: the heading of the
// table, and transport and direction of each row.
func shape(report string) (out []string) {
	table := false
	for line := range strings.Lines(report) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == "transport":
			table = true
			out = append(out, strings.Join(fields, " "))
		case len(fields) == 0:
			table = false
		case table:
			out = append(out, fields[0]+" "+fields[1])
		}
	}
	return out
}

// TestReadmeTranscript runs the command of the README, on less, and compares
// what a reader sees.
func TestReadmeTranscript(t *testing.T) {
	const command = "$ ferry compare --link loopback\n"
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, transcript, found := strings.Cut(string(readme), command)
	transcript, _, closed := strings.Cut(transcript, "```")
	if !found || !closed {
		t.Fatalf("no transcript of %q in the README", command)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"compare", "--link", "loopback", "--size", "256KiB", "--runs", "1"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	if got, want := shape(out.String()), shape(transcript); !slices.Equal(got, want) || len(want) < 11 {
		t.Errorf("the command prints\n%s\nthe README shows\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
