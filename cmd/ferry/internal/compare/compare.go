package compare

import (
	"context"
	"path/filepath"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// warmUps is the number of rounds that are run and not counted.
const warmUps = 1

// Run compares the carriers in both directions. A carrier that fails has its
// error in its result and is not run again; the others go on. The error is
// about the comparison itself: a bad Config, an unreadable file, a done ctx.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	src, err := openSource(cfg.Path)
	if err != nil {
		return nil, err
	}
	var lanes []*lane
	for _, c := range cfg.Carriers {
		for _, d := range []Direction{Up, Down} {
			lanes = append(lanes, &lane{carrier: c, dir: d})
		}
	}
	rounds := warmUps + cfg.Runs
	begin := time.Now()
	done := 0
	for round := range rounds {
		for i := range lanes {
			// Each round starts with another lane, so that none always
			// follows the same neighbour.
			l := lanes[(i+round)%len(lanes)]
			if cfg.Progress != nil {
				step := Step{Run: done + 1, Runs: rounds * len(lanes), Carrier: l.carrier.Name, Direction: l.dir}
				if done >= len(lanes) {
					step.Left = time.Since(begin) / time.Duration(done) * time.Duration(step.Runs-done)
				}
				cfg.Progress(step)
			}
			done++
			if l.err != nil {
				continue
			}
			r := src.run(ctx, l.carrier, l.dir, cfg)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			l.add(r, round >= warmUps)
		}
	}
	report := &Report{
		Machine:  thisMachine(),
		Schema:   Schema,
		Settings: Settings{File: filepath.Base(cfg.Path), Bytes: src.size, BLAKE3: src.hash.String(), ChunkSize: cfg.ChunkSize, Runs: cfg.Runs, WarmUps: warmUps, Link: "loopback"},
	}
	for _, l := range lanes {
		report.Results = append(report.Results, l.result(cfg))
	}
	report.Verdict = report.verdict()
	return report, nil
}

// lane is one carrier in one direction, with its counted runs.
type lane struct {
	carrier Carrier
	dir     Direction
	runs    []run
	err     error
	props   transport.Properties
}

func (l *lane) add(r run, counts bool) {
	l.err = r.err
	l.props = r.props
	if counts || r.err != nil {
		l.runs = append(l.runs, r)
	}
}
