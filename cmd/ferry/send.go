package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/hub"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
	"github.com/chunkferry/chunkferry/pipeline"
)

type sendFlags struct {
	transports []string
	name       string
	streams    int
	bond       bool
	resume     bool
	limitRate  size.Bytes
	retry      time.Duration
	json       bool
	quiet      bool
}

func newSend() *cobra.Command {
	f := sendFlags{}
	cmd := &cobra.Command{
		Use:   "send PATH... URL",
		Short: "Send files and directories to a ferry serve",
		Long: `Send sends files, directories or standard input (-) to the URL that ferry serve
has printed. It is done when the receiver has verified the content, made it
durable and given it its final name.

It tries QUIC, WebSocket and WebRTC a moment apart, takes the first that answers,
and moves to another when that one dies. Ctrl-C suspends: the same command again
continues, over whatever transport then works.`,
		Example: `  ferry send video.mp4 'https://192.0.2.7:4433/#token=…&pin=…'
  ferry send --transport wss --streams 4 dataset/ "$URL"
  tar c project | ferry send --name project.tar - "$URL"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return misusef("what to send and where to? %s PATH... URL", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[:len(args)-1], args[len(args)-1])
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.transports, "transport", []string{"auto"}, "`names` in order of preference: auto, "+strings.Join(hub.TransportNames(), ", "))
	flags.StringVar(&f.name, "name", "stdin", "`name` that standard input gets at the receiver")
	flags.IntVar(&f.streams, "streams", 1, "`channels` to send over at once")
	flags.BoolVar(&f.bond, "bond", false, "spread the channels over all transports")
	flags.BoolVar(&f.resume, "resume", true, "continue what was interrupted; false begins anew")
	flags.Var(&f.limitRate, "limit-rate", "most `bytes` a second (default no limit)")
	flags.DurationVar(&f.retry, "retry", time.Minute, "how long to go on trying without progress, and standard input to wait for a full disk")
	flags.BoolVar(&f.json, "json", false, "print progress and result as JSON, one object a line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
	complete(cmd, "transport", append([]string{"auto"}, hub.TransportNames()...)...)
	return cmd
}

func (f *sendFlags) run(cmd *cobra.Command, paths []string, target string) error {
	addr, err := hub.ParseAddress(target)
	if err != nil {
		return misuse{err}
	}
	names := f.transports
	if len(names) == 1 && names[0] == "auto" {
		names = nil
	}
	routes, err := addr.Routes(names...)
	if err != nil {
		return misuse{err}
	}
	if f.streams < 1 {
		return misusef("--streams %d: at least one is needed", f.streams)
	}
	base := int64(memoryBase)
	if slices.ContainsFunc(routes, func(r pipeline.Route) bool { return r.Name == "webrtc" }) {
		base = memoryWebRTC
	}
	beBatch()
	boundMemory(base + memorySender + int64(f.streams)*memoryQueue)
	src, err := f.source(cmd, paths)
	if err != nil {
		return err
	}
	key, err := senderKey()
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "ferry: no key of this sender, so whoever knows the file can guess the transfer's id: %v\n", err)
	}
	show := f.display(cmd, f.stdin(paths) && isTerminal(cmd.InOrStdin()))
	result, err := pipeline.Send(cmd.Context(), routes, src, &pipeline.SendOptions{
		Token:    addr.Token,
		Key:      key,
		Restart:  !f.resume,
		Streams:  f.streams,
		Bond:     f.bond,
		Rate:     int64(f.limitRate),
		RetryFor: f.retry,
		Progress: show.progress,
		Event:    show.event,
	})
	show.end()
	if err != nil {
		if f.json {
			_ = json.NewEncoder(cmd.OutOrStdout()).Encode(sendEvent{Event: "failed", Error: err.Error(), Code: pipeline.CodeOf(err)})
		}
		if cmd.Context().Err() != nil && !f.stdin(paths) {
			fmt.Fprintln(cmd.ErrOrStderr(), "ferry: suspended; the same command again continues where it stopped")
			return errFailed
		}
		return f.hint(paths, err)
	}
	f.report(cmd, result)
	return nil
}

func (f *sendFlags) stdin(paths []string) bool { return len(paths) == 1 && paths[0] == "-" }

func (f *sendFlags) source(cmd *cobra.Command, paths []string) (pipeline.Source, error) {
	if f.stdin(paths) {
		return pipeline.Stream(f.name, cmd.InOrStdin()), nil
	}
	for _, p := range paths {
		if p == "-" {
			return nil, misusef("standard input (-) is sent alone, not together with files")
		}
		if _, err := os.Stat(p); err != nil {
			return nil, err
		}
	}
	return pipeline.Files(paths...), nil
}

// hint adds what a person can do about an error.
func (f *sendFlags) hint(paths []string, err error) error {
	hint := ""
	switch {
	case f.stdin(paths) && (errors.Is(err, pipeline.ErrNoSpace) || errors.Is(err, pipeline.ErrQuota) || errors.Is(err, pipeline.ErrReadOnly)):
		hint = "standard input cannot be continued by another command; a longer --retry waits longer for the cause to go"
	case errors.Is(err, pipeline.ErrUnauthorized):
		hint = "take the whole URL that 'ferry serve' prints, in quotes"
	case errors.Is(err, pipeline.ErrSourceChanged):
		hint = "add --resume=false to replace what was sent before"
	case errors.Is(err, pipeline.ErrExists):
		hint = "the receiver may run with --overwrite rename or replace"
	case errors.Is(err, pipeline.ErrLimit):
		hint = "the receiver sets its limit with --max-size"
	case errors.Is(err, pipeline.ErrNoSpace), errors.Is(err, pipeline.ErrQuota), errors.Is(err, pipeline.ErrReadOnly):
		hint = "what arrived is kept; the same command continues when the cause is gone"
	default:
		return err
	}
	return fmt.Errorf("%w\n  %s", err, hint)
}

// display chooses how to show progress. What is typed leaves no room for a bar.
func (f *sendFlags) display(cmd *cobra.Command, typed bool) display {
	switch {
	case f.json:
		return newJSONDisplay(cmd.OutOrStdout())
	case f.quiet:
		return quietDisplay{}
	case isTerminal(cmd.ErrOrStderr()) && !typed:
		return newBarDisplay(cmd.ErrOrStderr())
	default:
		return newLineDisplay(cmd.ErrOrStderr())
	}
}

func (f *sendFlags) report(cmd *cobra.Command, r *pipeline.Result) {
	rate := float64(r.Size) / 1e6 / r.Elapsed.Seconds()
	if f.json {
		_ = json.NewEncoder(cmd.OutOrStdout()).Encode(sendEvent{
			Event: "complete", Bytes: r.Size, Files: r.Files, Sent: r.Sent, Seconds: r.Elapsed.Seconds(),
			MBPerS: rate, Transports: r.Routes, BLAKE3: r.Root.String(),
		})
		return
	}
	if f.quiet {
		return
	}
	files := ""
	if r.Files != 1 {
		files = fmt.Sprintf(" in %d files", r.Files)
	}
	out := cmd.OutOrStdout()
	if len(r.Routes) == 0 {
		fmt.Fprintf(out, "%s%s had arrived before, BLAKE3 %s\n", size.Bytes(r.Size), files, r.Root)
	} else {
		fmt.Fprintf(out, "sent %s%s in %v, %.1f MB/s over %s, BLAKE3 %s\n", size.Bytes(r.Size), files,
			r.Elapsed.Round(time.Millisecond), rate, strings.Join(r.Routes, " and "), r.Root)
	}
	for _, c := range r.Renamed {
		fmt.Fprintf(out, "  %q is named %q there\n", c.Path, c.Name)
	}
}
