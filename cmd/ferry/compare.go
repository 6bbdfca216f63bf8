package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

type compareFlags struct {
	file       string
	size       size.Bytes
	chunk      size.Bytes
	transports []string
	runs       int
	format     string
}

// defaultCompareSize keeps the comparison of a newcomer's first minute short.
const defaultCompareSize = 64 << 20

func newCompare() *cobra.Command {
	f := compareFlags{size: defaultCompareSize, chunk: chunker.DefaultChunkSize}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Carry the same file over every transport and compare",
		Long: `Compare carries the same file over every transport, in both directions, inside
this process over loopback: the same uploader and the same assembler, the
content verified at the receiver, delivered bytes counted there, runs in
alternation after a warm-up. It ends with a sentence that says which was
fastest and by how much.

Without --file it sends random bytes from a temporary file.`,
		Example: `  ferry compare
  ferry compare --file video.mp4 --transports ws,quic --runs 10
  ferry compare --size 1GiB --format json > result.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "`file` to carry (default: random bytes of --size)")
	flags.Var(&f.size, "size", "`bytes` to carry without --file, such as 64MiB or 1GB")
	flags.Var(&f.chunk, "chunk-size", "payload `bytes` of a chunk")
	flags.StringSliceVar(&f.transports, "transports", nil, "transports to compare, `names` of "+strings.Join(adapterNames(takesPart), ", ")+" (default all)")
	flags.IntVar(&f.runs, "runs", compare.DefaultRuns, "counted `runs` of each transport and direction")
	flags.StringVar(&f.format, "format", "text", "`format` of the result: text, json")
	cmd.MarkFlagsMutuallyExclusive("file", "size")
	complete(cmd, "format", "text", "json")
	complete(cmd, "transports", adapterNames(takesPart)...)
	return cmd
}

// complete offers values for a flag to the shell.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("ferry: internal error: " + err.Error())
	}
}

func takesPart(a adapter) bool { return a.compare }

func (f *compareFlags) run(cmd *cobra.Command) error {
	if f.format != "text" && f.format != "json" {
		return misusef("unknown format %q: choose text or json", f.format)
	}
	if f.runs < 1 {
		return misusef("--runs %d: at least one run is needed", f.runs)
	}
	chosen, err := chooseAdapters(f.transports, takesPart)
	if err != nil {
		return err
	}
	cfg := compare.Config{Path: f.file, ChunkSize: int(f.chunk), Runs: f.runs}
	for _, a := range chosen {
		cfg.Carriers = append(cfg.Carriers, compare.Carrier{Name: a.name, Pair: a.pair, Yardstick: a.name == "memory"})
	}
	if f.file == "" {
		path, err := randomFile(int64(f.size))
		if err != nil {
			return err
		}
		defer os.Remove(path)
		cfg.Path = path
	}
	show := newStatus(cmd.ErrOrStderr())
	cfg.Progress = func(s compare.Step) {
		line := fmt.Sprintf("run %d of %d: %s %s", s.Run, s.Runs, s.Carrier, s.Direction)
		if s.Left > 0 {
			line += fmt.Sprintf(", %v left", s.Left.Round(time.Second))
		}
		show.line(line)
	}
	report, err := compare.Run(cmd.Context(), cfg)
	show.clear()
	if err != nil {
		return err
	}
	if f.file == "" {
		report.Settings.File = "random bytes"
	}
	write := report.WriteText
	if f.format == "json" {
		write = report.WriteJSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if report.Failed() {
		return errFailed
	}
	return nil
}

// randomFile makes a temporary file of incompressible bytes, the same each
// time.
func randomFile(n int64) (path string, err error) {
	f, err := os.CreateTemp("", "ferry-compare-*")
	if err != nil {
		return "", err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), n)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("make a file of %d bytes to compare with: %w", n, err)
	}
	return f.Name(), nil
}
