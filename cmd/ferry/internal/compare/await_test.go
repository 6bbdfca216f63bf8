package compare

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A run ends at its limit, but not in a gap.
func TestAwaitEndsAfterAGap(t *testing.T) {
	const limit, gap = time.Second, 200 * time.Millisecond
	for name, tt := range map[string]struct {
		from, to time.Duration // nothing is delivered between them
		want     time.Duration // when the run ends, at the earliest
	}{
		"no gap":           {0, 0, limit},
		"over before":      {300 * time.Millisecond, 950 * time.Millisecond, limit},
		"just begun":       {950 * time.Millisecond, 5 * time.Second, limit},
		"from the start":   {0, 1500 * time.Millisecond, 1500 * time.Millisecond},
		"across the limit": {500 * time.Millisecond, 1700 * time.Millisecond, 1700*time.Millisecond + afterAGap},
		"too long":         {500 * time.Millisecond, time.Minute, limit + mostExtra},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{cfg: Config{Stall: DefaultStall}}
				rec := newRecorder(time.Now())
				stop := make(chan struct{})
				go func() {
					tick := time.NewTicker(10 * time.Millisecond)
					defer tick.Stop()
					for {
						select {
						case <-stop:
							return
						case now := <-tick.C:
							if at := now.Sub(rec.begin); at < tt.from || at >= tt.to {
								rec.add(now, 1)
							}
						}
					}
				}()
				err := b.await(t.Context(), nil, rec, limit, gap)
				close(stop)
				took := time.Since(rec.begin)
				if !errors.Is(err, errCut) || took < tt.want || took > tt.want+2*samplePeriod {
					t.Errorf("ended after %v with %v, want %v", took, err, tt.want)
				}
			})
		})
	}
}
