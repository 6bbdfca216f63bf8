package compare

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
)

// bulk carries the file, or as much of it as the run's time allows, and checks
// what arrived.
func (b *bench) bulk(ctx context.Context, l *lane, n network, s *carrier.Session, r *run) error {
	streams := l.point.options.Streams
	parts := make([]section, streams)
	verifiers := make([]*verifier, streams)
	senders := make([]carrier.End, streams)
	for i := range streams {
		parts[i] = b.src.share(i, streams)
		senders[i], _ = ends(s, i, l.dir)
	}
	u := n.measure(l.point.direction(l.dir).Rate, senders)
	rec := newRecorder(u.begin)
	for i := range streams {
		verifiers[i] = newVerifier(rec)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var transfers, receivers sync.WaitGroup
	var sent atomic.Int64
	for i := range streams {
		from, to := ends(s, i, l.dir)
		transfers.Go(func() {
			if err := from.Send(ctx, b.src.reader(parts[i]), parts[i].size); err != nil {
				cancel(fmt.Errorf("send: %w", err))
				return
			}
			sent.Add(1)
		})
		receivers.Go(func() {
			if err := to.Receive(ctx, verifiers[i], parts[i].size); err != nil {
				cancel(fmt.Errorf("receive: %w", err))
			}
		})
	}
	received := make(chan struct{})
	go func() {
		receivers.Wait()
		close(received)
	}()
	err := b.await(ctx, received, rec, l.point.runTime, l.gap())
	complete := err == nil && ctx.Err() == nil
	if err == nil && !complete {
		err = context.Cause(ctx)
	}

	// Nothing counts from here on; what runs, ends.
	var last time.Time
	for i, v := range verifiers {
		delivered, at := v.stop()
		r.DeliveredBytes += delivered
		complete = complete && delivered == parts[i].size
		if at.After(last) {
			last = at
		}
	}
	end := u.freeze()
	if complete && b.src.size > 0 {
		end = last
	}
	u.finish(end, r)
	allSent := sent.Load() == int64(streams)
	cancel(errCut)
	s.Close()
	transfers.Wait()
	<-received

	r.Complete = complete
	r.Seconds = end.Sub(u.begin).Seconds()
	r.MBPerS = float64(r.DeliveredBytes) / 1e6 / r.Seconds
	if !rec.first.IsZero() {
		r.FirstByteSeconds = rec.first.Sub(u.begin).Seconds()
	}
	width, series := rec.series(end)
	r.BinSeconds, r.Throughput, r.growth = width.Seconds(), series, growth(series)
	switch {
	case err != nil && !errors.Is(err, errCut):
		return err
	case !complete && err == nil:
		return fmt.Errorf("%w: %d bytes of %d", ErrUnverified, r.DeliveredBytes, b.src.size)
	case errors.Is(err, errCut) && allSent && end.Sub(last) > l.patience():
		return fmt.Errorf("%w: everything was sent, %d bytes of %d arrived and nothing more for %v",
			ErrUnverified, r.DeliveredBytes, b.src.size, end.Sub(last).Round(time.Millisecond))
	}
	for i, v := range verifiers {
		if err := v.check(b.src, parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a receiver may hear nothing after everything was sent.
func (l *lane) patience() time.Duration { return max(500*time.Millisecond, 5*l.point.spec.RTT()) }

// gap is how long nothing is delivered when a packet is missing, rather than
// because the link is slow.
func (l *lane) gap() time.Duration {
	return max(leastGap, time.Duration(tripsInGap*float64(l.point.rtt())))
}

// A run is not cut off while nothing is delivered: what has arrived behind a
// gap would not count, although it took its time. All carriers here keep the
// order, and fill a gap after a round trip or a timeout of a second.
const (
	leastGap   = 200 * time.Millisecond // and one and a half round trips
	mostExtra  = 3 * time.Second        // that a run waits for the end of a gap
	afterAGap  = 100 * time.Millisecond // is enough for what waited behind it
	tripsInGap = 1.5
)

// await returns nil when done is closed, errCut when limit is over (0: never)
// and something has been delivered, lately if a gap of that length can end in
// time, ErrStalled when nothing has been delivered for too long, and ctx's
// cause.
func (b *bench) await(ctx context.Context, done <-chan struct{}, rec *recorder, limit, gap time.Duration) error {
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(time.Until(rec.begin.Add(limit)))
	}
	tick := time.NewTicker(b.cfg.Stall)
	defer tick.Stop()
	waited, ended := false, false // for the end of a gap
	for before := int64(-1); ; {
		select {
		case <-done:
			return nil
		case <-over:
			switch {
			case rec.delivered() == 0: // nothing could be said of such a run
				over = time.After(samplePeriod)
			case ended || time.Since(rec.begin) > limit+mostExtra:
				return errCut
			case rec.idle() > gap:
				waited = true
				over = time.After(samplePeriod)
			case waited:
				ended = true
				over = time.After(afterAGap)
			default:
				return errCut
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			now := rec.delivered()
			if now == before {
				return fmt.Errorf("%w: %d bytes delivered, nothing for %v", ErrStalled, now, b.cfg.Stall)
			}
			before = now
		}
	}
}
