package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/table"
)

// document is docs/results.md.
type document struct {
	sections []section
	pictures []string // paths from the directory of the page
}

type section struct {
	comparison
	report *result.Report
	plots  []string
}

func (p document) write(path string) error {
	var out bytes.Buffer
	first := p.sections[0].report
	var took time.Duration
	for _, s := range p.sections {
		took += time.Duration(s.report.Seconds * float64(time.Second))
	}
	fmt.Fprintf(&out, "# Results\n\n")
	fmt.Fprintf(&out, "Measured on %s with `make results`, in %v, on %s/%s with %d processors that both ends and the link share; %s.\n",
		first.Time.Format("2 January 2006"), took.Round(time.Minute), first.Machine.OS, first.Machine.Arch, first.Machine.CPUs, report.Programs(first.Machine))
	fmt.Fprintf(&out, "[Comparing](comparing.md) says how it is measured and what the words mean. This page is written by a program from\n")
	fmt.Fprintf(&out, "[the JSON files](results/) and holds no other figure. MB/s are 10^6 verified bytes a second at the receiver.\n")
	for _, s := range p.sections {
		if err := s.write(&out); err != nil {
			return err
		}
	}
	if len(p.pictures) > 0 {
		fmt.Fprintf(&out, "\n## The page\n\n`ferry compare --format html` shows the first of them like this, on a desk and on a telephone, light and dark:\n\n")
		for _, picture := range p.pictures {
			fmt.Fprintf(&out, "![%s](%s)\n", strings.TrimSuffix(filepath.Base(picture), ".png"), picture)
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func (s section) write(out *bytes.Buffer) error {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n", s.title, s.about)
	for _, v := range s.report.Verdicts {
		fmt.Fprintf(out, "- %s\n", v.Text)
	}
	for _, d := range s.report.Doubts {
		fmt.Fprintf(out, "- To be taken with care (%s): %s.\n", d.Name, d.Text)
	}
	fmt.Fprintln(out)
	for _, plot := range s.plots {
		fmt.Fprintf(out, "![%s](%s)\n", strings.TrimSuffix(filepath.Base(plot), ".svg"), plot)
	}
	var text bytes.Buffer
	if err := table.Write(&text, s.report); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n<details><summary>All rows ([JSON](results/%s.json))</summary>\n\n```text\n%s```\n\n</details>\n", s.name, text.String())
	return nil
}
