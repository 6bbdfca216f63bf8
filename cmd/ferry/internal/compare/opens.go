package compare

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// maxOpens is how often a run opens at most.
const maxOpens = 50

// firstBytes is the message that ends an opening.
var firstBytes = message(answerBytes, 3)

// opens measures, until the run's time is over, how long it takes from dialling
// to the first message at the other side, which the dialler (up) or the acceptor
// (down) sends. Each opening ends before the next begins.
func (b *bench) opens(ctx context.Context, l *lane, n network, p carrier.Place, r *run) error {
	var standing *carrier.Session // the connection that is reused, or whose TLS session is
	if l.state != result.Cold {
		s, err := p.Connect(ctx, false)
		if err != nil {
			return err
		}
		// A message each way, so that what the server sends after the handshake
		// has arrived, the session ticket above all.
		if err := errors.Join(greet(ctx, s.Near[0], s.Far[0]), greet(ctx, s.Far[0], s.Near[0])); err != nil {
			s.Close()
			return err
		}
		if standing = s; l.state == result.Resumed {
			s.Close()
		} else {
			defer standing.Close()
			r.props = s.Properties
		}
	}
	u := n.measure(0, nil)
	var err error
	for len(r.latencies) == 0 || time.Since(u.begin) < l.point.runTime && len(r.latencies) < maxOpens {
		var d time.Duration
		if d, err = b.openOnce(ctx, l, p, standing); err != nil {
			break
		}
		r.latencies = append(r.latencies, d.Seconds())
		r.DeliveredBytes += int64(len(firstBytes))
	}
	end := u.freeze()
	u.finish(end, r)
	if err != nil {
		return err
	}
	r.Complete = true
	r.Seconds = end.Sub(u.begin).Seconds()
	r.MedianSeconds = stats.Median(r.latencies)
	r.OpenSeconds, r.FirstByteSeconds = r.MedianSeconds, r.MedianSeconds
	return nil
}

func (b *bench) openOnce(ctx context.Context, l *lane, p carrier.Place, standing *carrier.Session) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.cfg.Stall, fmt.Errorf("%w: not open after %v", ErrStalled, b.cfg.Stall))
	defer cancel()
	begin := time.Now()
	var near, far carrier.End
	if l.state == result.Reused {
		var err error
		if near, far, err = standing.More(ctx); err != nil {
			return 0, err
		}
	} else {
		s, err := p.Connect(ctx, l.state == result.Resumed)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		// What is cut off by ctx must not wait for ever.
		stop := context.AfterFunc(ctx, s.Close)
		defer stop()
		near, far = s.Near[0], s.Far[0]
	}
	if l.dir == result.Down {
		near, far = far, near
	}
	err := greet(ctx, near, far)
	return time.Since(begin), err
}

func greet(ctx context.Context, from, to carrier.End) error {
	if err := from.Put(ctx, firstBytes); err != nil {
		return err
	}
	return expect(ctx, to, firstBytes)
}
