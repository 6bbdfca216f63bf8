package transporttest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// check is one entry of the table.
type check struct {
	index int
	name  string
	rule  string // number and words, from transport/doc.go
	run   func(ctx context.Context, e *env) error
	alone bool // runs while no other check does
	slow  bool // waits long, so it starts early
}

// env is what a check works with: a source of pairs, closed when it ends.
type env struct {
	pair Pair
	opts Options

	mu     sync.Mutex
	opened []transport.Channel
}

// open returns a new pair.
func (e *env) open(ctx context.Context) (a, b transport.Channel, err error) {
	a, b, err = e.pair(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open a pair: %w", err)
	}
	e.keep(a, b)
	return a, b, nil
}

func (e *env) keep(channels ...transport.Channel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened = append(e.opened, channels...)
}

// closeAll ends every channel that the check opened, without ceremony where
// the channel can, and waits for it.
func (e *env) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var wg sync.WaitGroup
	for _, ch := range e.opened {
		wg.Go(func() {
			_ = transport.Abort(ch)
			_ = ch.Close()
		})
	}
	wg.Wait()
	e.opened = nil
}

// times picks a number of repetitions.
func (e *env) times(full, quick int) int {
	if e.opts.Quick {
		return quick
	}
	return full
}

// properties returns what ch declares; what it does not declare is the least.
func properties(ch transport.Channel) transport.Properties {
	p, _ := transport.PropertiesOf(ch)
	return p
}

// soon is enough for anything that needs no waiting, on the busiest machine.
const soon = 20 * time.Second

// within calls f and reports if it does not return in time. f may be left
// behind: the check has failed then.
func within(ctx context.Context, d time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s did not return within %v", what, d)
	case <-ctx.Done():
		return fmt.Errorf("%s did not return: %w", what, ctx.Err())
	}
}
