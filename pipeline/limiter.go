package pipeline

import (
	"context"
	"sync"
	"time"
)

// limiter lets bytes pass at a rate. A nil limiter does not limit.
type limiter struct {
	rate float64 // bytes per second

	mu   sync.Mutex
	free time.Time // when the line is free again
}

// burst is what may pass at once after a pause.
const burst = 50 * time.Millisecond

func newLimiter(rate int64) *limiter {
	if rate <= 0 {
		return nil
	}
	return &limiter{rate: float64(rate)}
}

// wait lets n bytes pass and waits until they have.
func (l *limiter) wait(ctx context.Context, n int) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now.Add(-burst)) {
		l.free = now.Add(-burst)
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	pause := l.free.Sub(now)
	l.mu.Unlock()
	return sleep(ctx, pause)
}

// sleep waits for d, if it is positive, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
