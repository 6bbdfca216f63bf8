package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

type compareFlags struct {
	url        string // of a server to compare with over the real network
	file       string
	size       size.Bytes
	chunk      size.Bytes
	highWater  size.Bytes
	message    size.Bytes
	transports []string
	links      []string
	kernel     bool
	congestion string
	streams    int
	mode       string
	sweep      string
	baselines  bool
	runs       int
	runTime    time.Duration
	maxTime    time.Duration
	seed       uint64
	output     compareOutput
}

// What the comparison of a newcomer's first minute is made of: a short
// file over loopback, and a link on which they differ at once.
const (
	defaultCompareSize = 64 << 20
	defaultLink        = "lossy-wifi"
	firstMinute        = 50 * time.Second
)

func newCompare() *cobra.Command {
	f := compareFlags{size: defaultCompareSize, chunk: chunker.DefaultChunkSize, message: compare.DefaultMessageBytes}
	cmd := &cobra.Command{
		Use:   "compare [URL]",
		Short: "Carry the same file over every transport and compare",
		Long: `Compare carries the same file over every transport, in both directions, inside
this process: the same uploader and the same assembler, the content verified at
the receiver, delivered bytes counted there, runs in alternation. It says what
limits each of them and ends with a sentence that says which was fastest.

Without --link it runs over loopback, where only the processor counts, and over
one emulated link. Links are emulated in this process and need no privilege;
--link takes the name of a profile, a description, or both. With the URL of a
'ferry serve --allow-compare' it compares over the network there is.

` + linkHelp() + `
Without --file it sends random bytes from a temporary file.`,
		Example: `  ferry compare
  ferry compare --link lte --link wifi --link geo
  ferry compare --link rtt=50ms,rate=100mbit --sweep loss=0,0.1%,1%,3%
  ferry compare --link camera-uplink --mode messages --message-size 100KiB
  ferry compare 'https://192.0.2.7:4433/#token=...&pin=...'
  ferry compare --file video.mp4 --link loopback --transports ws,quic --runs 10
  ferry compare --link transatlantic --format json > result.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misusef("one URL at most, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.url = args[0]
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "`file` to carry (default: random bytes of --size)")
	flags.Var(&f.size, "size", "`bytes` to carry without --file, such as 64MiB or 1GB")
	flags.Var(&f.chunk, "chunk-size", "payload `bytes` of a chunk")
	flags.Var(&f.highWater, "high-water", "`bytes` that a channel may buffer before the sender waits; 0: what suits each channel")
	flags.StringSliceVar(&f.transports, "transports", nil, "transports to compare, `names` of "+strings.Join(transportNames(), ", ")+" (default all; on emulated links wss, quic, webrtc)")
	flags.StringArrayVar(&f.links, "link", nil, "`link` to compare on: a profile, a description, or loopback; may be repeated")
	flags.BoolVar(&f.kernel, "link-kernel", false, "emulate with the kernel's own TCP and UDP (Linux, root)")
	flags.StringVar(&f.congestion, "cc", "", "congestion control of TCP on emulated links: cubic, reno, with --link-kernel also bbr")
	flags.IntVar(&f.streams, "streams", 1, "channels that share the file")
	flags.StringVar(&f.mode, "mode", string(result.Bulk), "what to measure: bulk (a file), messages (request and answer), open (time to the first byte)")
	flags.Var(&f.message, "message-size", "`bytes` of the large one of request and answer")
	flags.StringVar(&f.sweep, "sweep", "", "`key=value,value,...` to vary: a key of --link, or chunk-size, high-water, streams")
	flags.BoolVar(&f.baselines, "baselines", true, "measure the bare carriers, too (default: with --link)")
	flags.IntVar(&f.runs, "runs", compare.DefaultRuns, "counted `runs` of each transport and direction")
	flags.DurationVar(&f.runTime, "run-time", 0, "cut a run off after this `time` (default: on emulated links what --max-time allows, else never)")
	flags.DurationVar(&f.maxTime, "max-time", compare.DefaultMaxTime, "`time` that the comparison may take (default without --link, --file and --size: a minute)")
	flags.Uint64Var(&f.seed, "seed", 1, "`number` that decides which packets an emulated link drops")
	flags.StringVar(&f.output.format, "format", "text", "`format` of the result: "+strings.Join(formats(), ", "))
	flags.StringVar(&f.output.save, "save", "", "keep the result in a `file`, as JSON, for --against")
	flags.StringVar(&f.output.against, "against", "", "say what has changed since the result saved in `file`")
	flags.StringVar(&f.output.plots, "plots", "", "put the plots into a `directory`, as SVG and PNG")
	if err := cmd.MarkFlagDirname("plots"); err != nil {
		panic("ferry: internal error: " + err.Error())
	}
	complete(cmd, "format", formats()...)
	complete(cmd, "transports", transportNames()...)
	complete(cmd, "mode", string(result.Bulk), string(result.Messages), string(result.Open))
	complete(cmd, "cc", "cubic", "reno", "bbr")
	if err := cmd.RegisterFlagCompletionFunc("link", func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return link.Complete(begun), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}); err != nil {
		panic("ferry: internal error: " + err.Error())
	}
	return cmd
}

// complete offers values for a flag to the shell.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("ferry: internal error: " + err.Error())
	}
}

func (f *compareFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config(cmd)
	if err != nil {
		return err
	}
	if err := f.output.prepare(); err != nil {
		return err
	}
	if f.file == "" && cfg.Mode == result.Bulk {
		path, err := randomFile(int64(f.size))
		if err != nil {
			return err
		}
		defer os.Remove(path)
		cfg.Path = path
	}
	show := newStatus(cmd.ErrOrStderr())
	cfg.Progress = func(s compare.Step) {
		line := fmt.Sprintf("run %d of %d: %s %s on %s", s.Run, s.Runs, s.Name, s.Direction, s.Link)
		if s.Left > 0 {
			line += fmt.Sprintf(", %v left", s.Left.Round(time.Second))
		}
		show.line(line)
	}
	outcome, err := compare.Run(cmd.Context(), cfg)
	show.clear()
	if errors.Is(err, compare.ErrConfig) {
		return misuse{err}
	}
	if err != nil {
		return err
	}
	if f.file == "" && cfg.Mode == result.Bulk {
		outcome.Settings.File = "random bytes"
	}
	outcome.Settings.Command = report.Command(outcome)
	if err := f.output.write(cmd.OutOrStdout(), outcome); err != nil {
		return err
	}
	if outcome.Failed() {
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
