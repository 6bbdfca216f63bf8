package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// answerBytes is the small one of request and answer.
const answerBytes = 64

// messages has the side that dialled ask and the other answer, one after the
// other on every flow, until the run's time is over. The large message goes
// l.dir. Both sides check what they get.
func (b *bench) messages(ctx context.Context, l *lane, n network, s *carrier.Session, r *run) error {
	request, answer := message(b.cfg.MessageBytes, 1), message(answerBytes, 2)
	if l.dir == result.Down {
		request, answer = answer, request
	}
	u := n.measure(l.point.direction(l.dir).Rate, nil)
	rec := newRecorder(u.begin)
	deadline := u.begin.Add(l.point.runTime)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answering, asking sync.WaitGroup
	var mu sync.Mutex
	for i := range s.Near {
		near, far := s.Near[i], s.Far[i]
		answering.Go(func() {
			for {
				err := expect(ctx, far, request)
				if err == nil {
					err = far.Put(ctx, answer)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
		asking.Go(func() {
			for asked := time.Now(); asked.Before(deadline) && ctx.Err() == nil; {
				err := near.Put(ctx, request)
				if err == nil {
					err = expect(ctx, near, answer)
				}
				now := time.Now()
				if err != nil {
					cancel(err)
					return
				}
				rec.add(now, b.cfg.MessageBytes)
				mu.Lock()
				r.latencies = append(r.latencies, now.Sub(asked).Seconds())
				mu.Unlock()
				asked = now
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		asking.Wait()
		close(finished)
	}()
	err := b.await(ctx, finished, rec, 0, 0)
	end := u.freeze()
	u.finish(end, r)
	cancel(errCut)
	s.Close()
	answering.Wait()
	<-finished
	if err == nil && !errors.Is(context.Cause(ctx), errCut) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	r.Complete = true
	r.DeliveredBytes = rec.delivered()
	r.Seconds = end.Sub(u.begin).Seconds()
	r.MBPerS = float64(r.DeliveredBytes) / 1e6 / r.Seconds
	if !rec.first.IsZero() {
		r.FirstByteSeconds = rec.first.Sub(u.begin).Seconds()
	}
	width, series := rec.series(end)
	r.BinSeconds, r.Throughput = width.Seconds(), series
	r.MedianSeconds = stats.Median(r.latencies)
	return nil
}

// message is n incompressible bytes.
func message(n int, seed byte) []byte {
	m := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(m) // never fails
	return m
}

// expect receives one message and compares it.
func expect(ctx context.Context, e carrier.End, want []byte) error {
	got, err := e.Get(ctx, len(want))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%w: a message of %d bytes", ErrUnverified, len(want))
	}
	return err
}
