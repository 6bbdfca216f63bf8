// Command results measures what docs/results.md shows, with ferry compare, and
// writes that page: every figure in it comes from the JSON files beside it.
//
//	go run ./cmd/ferry/internal/compare/results -ferry PATH [-dir docs] [-quick | -render]
//
// It takes less than 20 minutes of a machine that does nothing else. Where
// Chromium is installed, it takes pictures of the page of the first comparison.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// comparison is one run of ferry compare.
type comparison struct {
	name  string // of its files
	title string
	about string
	args  []string
}

// comparisons take 16 minutes together, at most.
var comparisons = []comparison{
	{
		"standard", "Three links, with the bare carriers",
		"The standard set: three profiles, three transports and their bare carriers in brackets, both directions, five runs.",
		[]string{"--link", "wifi", "--link", "lte", "--link", "transatlantic", "--max-time", "4m"},
	},
	{
		"profiles", "Five links",
		"A file over five more or less difficult links.",
		[]string{"--link", "dsl", "--link", "lte", "--link", "transatlantic", "--link", "lossy-wifi", "--link", "camera-uplink", "--baselines=false", "--max-time", "5m"},
	},
	{
		"loss", "The more packets are lost",
		"One link, with random loss.",
		[]string{"--link", "rtt=50ms,rate=20mbit", "--sweep", "loss=0,0.1%,1%,3%", "--baselines=false", "--max-time", "2m"},
	},
	{
		"rtt", "The longer the round trip",
		"One rate, over ever longer ways.",
		[]string{"--link", "rate=50mbit", "--sweep", "rtt=10ms,50ms,100ms,200ms", "--baselines=false", "--max-time", "2m"},
	},
	{
		"messages", "Requests and answers",
		"A request of 16 KiB and a short answer, or the other way round, one after the other: the time from asking to the answer.",
		[]string{"--mode", "messages", "--link", "lte", "--link", "lossy-wifi", "--baselines=false", "--max-time", "1m"},
	},
	{
		"open", "Opening",
		"From dialling to the first message at the other side, with what is known from an earlier connection.",
		[]string{"--mode", "open", "--link", "wifi", "--link", "transatlantic", "--baselines=false", "--max-time", "1m"},
	},
	{
		"loopback", "No link at all",
		"Over the loopback interface, where only the processor counts.",
		[]string{"--link", "loopback", "--baselines", "--max-time", "1m"},
	},
}

// quick makes a comparison that only shows that it can be made.
var quick = []string{"--runs", "1", "--run-time", "500ms", "--size", "4MiB"}

func main() {
	ferry := flag.String("ferry", "ferry", "the `program` to measure with")
	dir := flag.String("dir", "docs", "the `directory` of results.md, and of results/ with what it shows")
	try := flag.Bool("quick", false, "make one short run of each: to try it, the figures are worth nothing")
	render := flag.Bool("render", false, "measure nothing, write the page again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ferry, *dir, *try, *render); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, ferry, dir string, try, render bool) error {
	files := filepath.Join(dir, "results")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	p := document{}
	for i, c := range comparisons {
		path := filepath.Join(files, c.name+".json")
		if !render {
			if err := measure(ctx, ferry, path, c, try); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		r, err := read(path)
		if err != nil {
			return err
		}
		plots, err := drawn(files, c.name, r)
		if err != nil {
			return err
		}
		if i == 0 {
			if p.pictures, err = pictures(ctx, files, r); err != nil {
				return err
			}
		}
		p.sections = append(p.sections, section{c, r, plots})
	}
	return p.write(filepath.Join(dir, "results.md"))
}

// measure makes a comparison. One that failed for a transport is a result, too.
func measure(ctx context.Context, ferry, path string, c comparison, try bool) error {
	args := append([]string{"compare", "--save", path}, c.args...)
	if try {
		args = append(args, quick...)
	}
	cmd := exec.CommandContext(ctx, ferry, args...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	fmt.Fprintln(os.Stderr, cmd)
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 && ctx.Err() == nil {
		return nil
	}
	return err
}

func read(path string) (*result.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := result.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// drawn draws the plots of a comparison into a directory of its own, as SVG, and
// returns their paths, from the directory of the page. Those of single runs over
// time are left out: a page of them shows nothing.
func drawn(files, name string, r *result.Report) ([]string, error) {
	temporary, err := os.MkdirTemp("", "results-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	paths, err := report.WritePlots(temporary, r)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(files, name)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	var plots []string
	for _, path := range paths {
		if filepath.Ext(path) != ".svg" || strings.HasPrefix(filepath.Base(path), "time-") {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o644); err != nil {
			return nil, err
		}
		plots = append(plots, "results/"+name+"/"+filepath.Base(path))
	}
	return plots, nil
}
