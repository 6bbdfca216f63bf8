package transport

import (
	"context"
	"time"
)

// Drainer is implemented by channels that wake a waiting sender themselves.
// Call [Drain], not this. A type that wraps a channel implements it by calling
// Drain on what it wraps, so that the ability survives the wrapping.
type Drainer interface {
	Drain(ctx context.Context, low int) error
}

// The pace of polling a channel that cannot wake us: quick at first, for a
// buffer about to run dry, then gentle.
const (
	pollFirst = 500 * time.Microsecond
	pollLast  = 10 * time.Millisecond
)

// Drain waits until ch buffers at most low payload bytes. It looks at the
// level, never at an edge, so no wake-up can be missed; a channel that
// implements [Drainer] wakes it, any other is polled, at most every 10 ms.
// Any number of goroutines may wait at once.
//
// It returns nil as soon as the level is reached on an open channel, an error
// matching [ErrClosed] once the channel is closing or closed, [ErrNotOpen]
// while it is connecting, and ctx.Err() when ctx is done first.
func Drain(ctx context.Context, ch MessageChannel, low int) error {
	if d, ok := ch.(Drainer); ok {
		return d.Drain(ctx, low)
	}
	pause := pollFirst
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		switch ch.ReadyState() {
		case StateConnecting:
			return ErrNotOpen
		case StateClosing, StateClosed:
			return ErrClosed
		case StateOpen:
		}
		if ch.BufferedAmount() <= low {
			return nil
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, pollLast)
	}
}
