package compare

import (
	"context"
	"slices"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transport"
)

// lane is one row in the making: one carrier in one direction at one point.
type lane struct {
	carrier carrier.Carrier
	dir     result.Direction
	point   *point
	state   result.OpenState // mode open
	want    int              // counted runs
	runs    []run
	err     error
	props   transport.Properties
	took    time.Duration // the last run, all told
}

// schedule is which lane runs when.
type schedule struct {
	cfg     Config
	lanes   []*lane
	begin   time.Time
	warmUps int
	done    int
}

// When rows whose runs differ widely get more of them.
const (
	wideUncertainty = 0.10 // of the median
	mostRuns        = 3    // times those asked for
)

// When runs begin, as parts of Config.MaxTime: those that are planned fill the
// first part, those that only narrow a spread end with the second. What is left
// is for links on which a run takes longer than planned.
const (
	plannedPart  = 0.65
	narrowedPart = 0.80
)

// baselineRuns is how many runs a baseline gets: it stands beside the others for
// orientation, and is not tested against anything.
func baselineRuns(runs int) int { return min(runs, 2) }

func newSchedule(cfg Config, points []*point) *schedule {
	s := &schedule{cfg: cfg}
	states := []result.OpenState{""}
	if cfg.Mode == result.Open {
		states = []result.OpenState{result.Cold, result.Resumed, result.Reused}
	}
	for _, p := range points {
		for _, c := range cfg.Carriers {
			if c.Role == result.Yardstick && (p.line.Emulated || p.line.Real != nil) || c.Role == result.Baseline && p.line.Real != nil {
				continue // without a network; or without the other end
			}
			if len(p.line.Only) > 0 && !slices.Contains(p.line.Only, c.Name) && !slices.Contains(p.line.Only, c.Of) {
				continue
			}
			for _, d := range []result.Direction{result.Up, result.Down} {
				for _, state := range states {
					l := &lane{carrier: c, dir: d, point: p, state: state, want: cfg.Runs}
					if c.Role == result.Baseline {
						l.want = baselineRuns(cfg.Runs)
					}
					s.lanes = append(s.lanes, l)
				}
			}
		}
		if !p.line.Emulated && p.line.Real == nil && cfg.Mode == result.Bulk {
			s.warmUps = warmUps
		}
	}
	s.allot()
	return s
}

// What a run takes beside its own time: setting up, opening, closing,
// verifying.
const (
	overhead           = 150 * time.Millisecond
	overheadRoundTrips = 5
)

// allot gives each point its run time: enough round trips to leave slow start
// behind, as long as all runs together fit into the time there is.
func (s *schedule) allot() {
	const (
		least, most = 800 * time.Millisecond, 20 * time.Second
		leastTrips  = 20
		base        = 1200 * time.Millisecond
		roundTrips  = 25
	)
	ideal := func(p *point) time.Duration { return min(max(base, roundTrips*p.rtt()), 6*time.Second) }
	var fixed, wanted time.Duration
	for _, l := range s.lanes {
		n := time.Duration(l.want)
		switch {
		case l.point.line.Emulated || l.point.line.Real != nil:
			fixed += n * (overhead + overheadRoundTrips*l.point.rtt())
			wanted += n * ideal(l.point)
		default:
			fixed += n * time.Second / 4
		}
	}
	scale := 1.0
	if wanted > 0 {
		scale = min(3, max(0, (plannedPart*s.cfg.MaxTime.Seconds()-fixed.Seconds())/wanted.Seconds()))
	}
	for _, l := range s.lanes {
		p := l.point
		switch {
		case s.cfg.RunTime > 0:
			p.runTime = s.cfg.RunTime
		case p.line.RunTime > 0:
			p.runTime = p.line.RunTime
		case p.line.Emulated || p.line.Real != nil:
			p.runTime = min(max(least, leastTrips*p.rtt(), time.Duration(scale*float64(ideal(p))).Round(10*time.Millisecond)), most)
		case s.cfg.Mode != result.Bulk:
			p.runTime = time.Second
		}
	}
}

// run makes the runs: rounds in which every lane has one, each beginning with
// another lane than the one before, and then more for the rows that need them.
func (s *schedule) run(ctx context.Context, b *bench) error {
	s.begin = time.Now()
	for round := range s.warmUps + s.cfg.Runs*mostRuns {
		for i := range s.lanes {
			l := s.lanes[(i+round)%len(s.lanes)]
			if !s.due(l, round) {
				continue
			}
			if len(l.runs) > 0 && time.Since(s.begin) > s.until(round) {
				continue
			}
			s.report(l)
			begin := time.Now()
			r := b.one(ctx, l, s.cfg.Seed+uint64(max(0, round-s.warmUps)))
			if err := ctx.Err(); err != nil {
				return err
			}
			l.took = time.Since(begin)
			s.done++
			l.add(r, round >= s.warmUps)
		}
	}
	return nil
}

// until is when no more runs of a round begin: those that are only to narrow
// the spread must not use up the time.
func (s *schedule) until(round int) time.Duration {
	if round >= s.warmUps+s.cfg.Runs {
		return time.Duration(narrowedPart * float64(s.cfg.MaxTime))
	}
	return s.cfg.MaxTime
}

// due says whether a lane runs in a round.
func (s *schedule) due(l *lane, round int) bool {
	counted := round - s.warmUps
	switch {
	case l.err != nil:
		return false
	case counted < 0:
		return !l.point.line.Emulated && l.point.line.Real == nil
	case counted < l.want:
		return true
	case counted < s.cfg.Runs || l.carrier.Role != result.Transport:
		return false
	default:
		return len(l.runs) < mostRuns*s.cfg.Runs && uncertainty(l.figures()) > wideUncertainty
	}
}

func (l *lane) add(r run, counts bool) {
	l.err = r.err
	if r.props.MaxMessageSize > 0 {
		l.props = r.props
	}
	if counts || r.err != nil {
		l.runs = append(l.runs, r)
	}
}

func (s *schedule) report(l *lane) {
	if s.cfg.Progress == nil {
		return
	}
	step := Step{Name: l.carrier.Name, Direction: l.dir, Link: l.point.line.Name, Run: s.done + 1, Runs: s.done}
	known := true
	for _, l := range s.lanes {
		if l.err != nil {
			continue
		}
		left := max(0, l.want-len(l.runs))
		if len(l.runs) == 0 && s.warmUps > 0 && !l.point.line.Emulated && l.took == 0 {
			left++
		}
		step.Runs += left
		took := l.took
		if took == 0 {
			took = l.point.runTime + overhead
			known = known && l.point.runTime > 0
		}
		step.Left += time.Duration(left) * took
	}
	step.Runs = max(step.Runs, step.Run)
	if !known {
		step.Left = 0
	}
	s.cfg.Progress(step)
}
