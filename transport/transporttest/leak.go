package transporttest

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// leaves uses and ends a few pairs and counts goroutines before and after. One
// pair goes ahead, for what an implementation starts once and for all.
func (e *env) leaves(ctx context.Context, end func(a, b transport.Channel) error) error {
	const rounds = 6
	before := 0
	for i := range rounds + 1 {
		if i == 1 {
			before = settled(ctx)
		}
		a, b, err := e.open(ctx)
		if err != nil {
			return err
		}
		if err := e.works(ctx, a, b); err != nil {
			return err
		}
		if err := end(a, b); err != nil {
			return err
		}
	}
	var now int
	err := e.eventually(ctx, "the end of all goroutines", func() bool {
		now = runtime.NumGoroutine()
		return now < before+rounds
	})
	if err != nil {
		return fmt.Errorf("%d goroutines before, %d after %d channels were opened and closed: %w", before, now, 2*rounds, err)
	}
	return nil
}

// settled returns the number of goroutines once it has stopped falling.
func settled(ctx context.Context) int {
	n, calm := runtime.NumGoroutine(), 0
	for calm < 20 && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
		if now := runtime.NumGoroutine(); now < n {
			n, calm = now, 0
		} else {
			calm++
		}
	}
	return n
}

func leakClose(ctx context.Context, e *env) error {
	return e.leaves(ctx, func(a, b transport.Channel) error {
		go func() { _, _ = b.Receive(ctx) }()
		if err := e.closes(ctx, a); err != nil {
			return err
		}
		return e.closes(ctx, b)
	})
}

// leakPeerClose leaves it to the peer to end the channel.
func leakPeerClose(ctx context.Context, e *env) error {
	return e.leaves(ctx, func(a, b transport.Channel) error { return e.closeGracefully(ctx, b, a) })
}

// leakAbort ends one side without ceremony while the other has messages queued.
func leakAbort(ctx context.Context, e *env) error {
	return e.leaves(ctx, func(a, b transport.Channel) error {
		if err := sendList(ctx, b, same(20, 1000)); err != nil {
			return err
		}
		if _, ok := a.(transport.Aborter); !ok {
			go a.Close()
		} else if _, err := e.aborts(ctx, a, b); err != nil {
			return err
		}
		_ = e.closesInTime(ctx, b)
		return e.within(ctx, "Close", func() error { _ = a.Close(); return nil })
	})
}
