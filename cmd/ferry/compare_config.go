package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/remote"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/hub"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/transport"
)

const loopback = "loopback"

// encrypted are the transports that are compared on emulated links if nobody
// says otherwise: like with like.
var encrypted = []string{"wss", "quic", "webrtc"}

// transportNames are the carriers that can be chosen; baselines come with them.
func transportNames() []string {
	var names []string
	for _, c := range carrier.All() {
		if c.Role != result.Baseline {
			names = append(names, c.Name)
		}
	}
	return names
}

// linkHelp lists the profiles.
func linkHelp() string {
	var s strings.Builder
	for _, p := range link.Profiles() {
		s.WriteString("  " + p.Name + strings.Repeat(" ", max(1, 15-len(p.Name))) + p.Summary + "\n")
	}
	return s.String()
}

// config is what the flags ask for.
func (f *compareFlags) config(cmd *cobra.Command) (compare.Config, error) {
	cfg := compare.Config{
		Mode: result.Mode(f.mode), Path: f.file, ChunkSize: int(f.chunk), HighWater: int(f.highWater), MessageBytes: int(f.message),
		Streams: f.streams, Runs: f.runs, RunTime: f.runTime, MaxTime: f.maxTime, Seed: f.seed,
	}
	given := cmd.Flags().Changed
	switch {
	case given("file") && given("size"):
		return cfg, misusef("--file and --size: a file has the size it has, give one of them")
	case !slices.Contains([]result.Mode{result.Bulk, result.Messages, result.Open}, cfg.Mode):
		return cfg, misusef("unknown mode %q: choose bulk, messages or open", f.mode)
	case f.runs < 1:
		return cfg, misusef("--runs %d: at least one run is needed", f.runs)
	case f.chunk < 1:
		return cfg, misusef("--chunk-size: a chunk has at least one byte")
	case f.message < 1:
		return cfg, misusef("--message-size: a message has at least one byte")
	case f.streams < 1:
		return cfg, misusef("--streams %d: at least one is needed", f.streams)
	case f.runTime < 0 || f.maxTime <= 0:
		return cfg, misusef("--run-time and --max-time must be positive")
	}
	var err error
	if cfg.Sweep, err = parseSweep(f.sweep); err != nil {
		return cfg, err
	}
	if f.url != "" {
		return f.real(cmd, cfg)
	}
	if cfg.Lines, err = f.lines(); err != nil {
		return cfg, err
	}
	newcomer := len(f.links) == 0 && f.file == "" && !given("size")
	if newcomer && !given("max-time") {
		cfg.MaxTime = firstMinute
	}
	for i := range cfg.Lines {
		l := &cfg.Lines[i]
		if l.Emulated && len(f.transports) == 0 {
			l.Only = encrypted
		}
		if !l.Emulated && newcomer && cfg.Mode == result.Bulk {
			l.RunTime = time.Second / 2 // a slow transport must not use up the minute
		}
	}
	baselines := f.baselines && (given("baselines") || len(f.links) > 0)
	cfg.Carriers, err = f.carriers(baselines)
	return cfg, err
}

// real is the comparison over the network to a server.
func (f *compareFlags) real(cmd *cobra.Command, cfg compare.Config) (compare.Config, error) {
	for _, name := range []string{"file", "link", "link-kernel", "cc", "streams", "baselines"} {
		if cmd.Flags().Changed(name) {
			return cfg, misusef("--%s does not go with a URL: the network is what it is, and both ends know the bytes", name)
		}
	}
	if cfg.Mode == result.Open {
		return cfg, misusef("--mode open does not go with a URL, as only the other end knows when the first message is there: name a --link like that network instead")
	}
	address, err := hub.ParseAddress(f.url)
	if err != nil {
		return cfg, misuse{err}
	}
	known := address.TransportNames()
	for _, name := range f.transports {
		if !slices.Contains(known, name) {
			return cfg, misusef("the server has no transport %q: choose from %s", name, strings.Join(known, ", "))
		}
	}
	for _, c := range carrier.All() {
		if slices.Contains(known, c.Name) && (len(f.transports) == 0 || slices.Contains(f.transports, c.Name)) {
			cfg.Carriers = append(cfg.Carriers, c)
		}
	}
	if !cmd.Flags().Changed("max-time") {
		cfg.MaxTime = firstMinute
	}
	cfg.Lines = []compare.Line{{Name: address.Host, Real: &compare.Real{
		Token: address.Token,
		Dial: func(ctx context.Context, name string) (transport.Channel, error) {
			return address.Dial(ctx, name, remote.Label)
		},
	}}}
	return cfg, nil
}

// lines are the links to compare on.
func (f *compareFlags) lines() ([]compare.Line, error) {
	names := f.links
	if len(names) == 0 {
		if f.kernel || f.congestion != "" {
			names = []string{defaultLink}
		} else {
			names = []string{loopback, defaultLink}
		}
		if f.file != "" && !f.kernel && f.congestion == "" {
			names = []string{loopback}
		}
	}
	kind := link.User
	if f.kernel {
		kind = link.Kernel
	}
	if f.congestion != "" && !slices.Contains(kind.CongestionControls(), f.congestion) {
		return nil, misusef("unknown congestion control %q: choose from %s", f.congestion, strings.Join(kind.CongestionControls(), ", "))
	}
	var lines []compare.Line
	for _, name := range names {
		if slices.ContainsFunc(lines, func(l compare.Line) bool { return l.Name == name }) {
			return nil, misusef("--link %s is given twice", name)
		}
		if name == loopback {
			lines = append(lines, compare.Line{Name: name})
			continue
		}
		if _, err := link.ParseSpec(name); err != nil {
			return nil, misuse{err}
		}
		l := compare.Line{Name: name, Emulated: true, Text: name, Kind: kind, TCP: f.congestion}
		for _, p := range link.Profiles() {
			if p.Name == name {
				l.About = p.Summary
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// carriers are those chosen, each transport followed by its baselines.
func (f *compareFlags) carriers(baselines bool) ([]carrier.Carrier, error) {
	known := transportNames()
	for _, name := range f.transports {
		if !slices.Contains(known, name) {
			return nil, misusef("unknown transport %q: choose from %s", name, strings.Join(known, ", "))
		}
	}
	names := f.transports
	if len(names) == 0 {
		names = known
	}
	var chosen []carrier.Carrier
	for _, c := range carrier.All() {
		if slices.Contains(names, c.Name) || baselines && slices.Contains(names, c.Of) {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

// parseSweep reads key=value,value,...; nil for "".
func parseSweep(text string) (*result.Sweep, error) {
	if text == "" {
		return nil, nil
	}
	key, list, found := strings.Cut(text, "=")
	var keys []string
	for _, k := range link.Keys() {
		keys = append(keys, k.Name)
	}
	keys = append(keys, compare.SweepKeys()...)
	if !found || list == "" || !slices.Contains(keys, key) {
		return nil, misusef("--sweep %q: write key=value,value,... with one of %s", text, strings.Join(keys, ", "))
	}
	return &result.Sweep{Key: key, Values: strings.Split(list, ",")}, nil
}
