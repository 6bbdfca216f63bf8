package compare

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

// warmUps is the number of rounds on loopback that are run and not counted. An
// emulated link is new for each run, and so is its connection.
const warmUps = 1

// Run compares the carriers on the lines in both directions. A carrier that
// fails has its error in its result and is not run again; the others go on. The
// error is about the comparison itself: one matching ErrConfig, an unreadable
// file, a link that cannot be made, a done ctx.
func Run(ctx context.Context, cfg Config) (*result.Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &bench{cfg: cfg, src: &source{}}
	if cfg.Mode == result.Bulk {
		if b.src, err = openSource(cfg.Path); err != nil {
			return nil, err
		}
		defer b.src.file.Close()
	}
	cert, err := pinned.New()
	if err != nil {
		return nil, err
	}
	points, err := cfg.points(carrier.Options{
		ChunkSize: cfg.ChunkSize, HighWater: cfg.HighWater, Streams: cfg.Streams, Certificate: cert,
	})
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		if p.line.Emulated {
			if err := p.line.Kind.Available(); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range points {
		if p.line.Real != nil {
			if p.trip, err = p.meet(ctx, cfg); err != nil {
				return nil, err
			}
		}
	}
	whole, err := b.src.wholeHash()
	if err != nil {
		return nil, err
	}
	s := newSchedule(cfg, points)
	if err := s.run(ctx, b); err != nil {
		return nil, err
	}
	return b.report(s, points, whole), nil
}

// wholeHash is the hash of the file; "" without one.
func (s *source) wholeHash() (string, error) {
	if s.file == nil {
		return "", nil
	}
	d, err := s.hash(section{0, s.size}, true)
	return d.String(), err
}

// report sums up.
func (b *bench) report(s *schedule, points []*point, hash string) *result.Report {
	cfg := b.cfg
	r := &result.Report{
		Schema:  result.Schema,
		Time:    s.begin.UTC().Truncate(time.Second),
		Seconds: time.Since(s.begin).Seconds(),
		Machine: thisMachine(),
		Settings: result.Settings{
			Mode: cfg.Mode, Bytes: b.src.size, BLAKE3: hash,
			ChunkSize: cfg.ChunkSize, HighWater: cfg.HighWater, Streams: cfg.Streams, Runs: cfg.Runs, WarmUps: s.warmUps,
			RunSeconds: longest(points).Seconds(), MaxSeconds: cfg.MaxTime.Seconds(), Seed: cfg.Seed, Sweep: cfg.Sweep,
		},
	}
	if cfg.Path != "" {
		r.Settings.File = filepath.Base(cfg.Path)
	}
	if cfg.Mode == result.Messages {
		r.Settings.MessageBytes = cfg.MessageBytes
	}
	var names []string
	for _, p := range points {
		if _, known := r.FindLink(p.line.Name); !known {
			r.Links = append(r.Links, p.describe())
			names = append(names, p.line.Name)
		}
	}
	r.Settings.Link = strings.Join(names, ",")
	for _, l := range s.lanes {
		if errors.Is(l.err, carrier.ErrNoResumption) || errors.Is(l.err, carrier.ErrNoReuse) {
			continue // there is no such row
		}
		res := l.result(cfg)
		r.Results = append(r.Results, res)
		r.Settings.Baselines = r.Settings.Baselines || res.Role == result.Baseline
	}
	r.Notes, r.Doubts = notes(r), doubts(s.lanes, r.Results)
	conclude(r)
	return r
}

func longest(points []*point) (d time.Duration) {
	for _, p := range points {
		d = max(d, p.runTime)
	}
	return d
}
