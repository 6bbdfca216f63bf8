package transporttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// Pair opens two connected channels, a and b, that nobody uses yet. It is the
// signature of every adapter's Pair. The kit calls it many times, several at
// once, and closes both ends; when both are closed nothing may be left.
type Pair func(ctx context.Context) (a, b transport.Channel, err error)

// Options widens what the kit can do to an implementation. The zero value and
// nil mean: open pairs, and cut nothing.
type Options struct {
	// Cut opens a pair whose carrier can be black-holed: once cut has been
	// called not a byte passes either way and neither side is told. It is
	// what rule R14 (Death) needs: channels that declare
	// Properties.DeadPeer fail the checks of that rule without it.
	Cut func(ctx context.Context) (a, b transport.Channel, cut func(), err error)

	// Many opens n channels over one carrier: as[i] is connected to bs[i].
	// Rule R15 (Backpressure) and R4 (Messages) hold for each of them. nil
	// means that every channel has a carrier of its own.
	Many func(ctx context.Context, n int) (as, bs []transport.Channel, err error)

	// Quick shortens what moves much data or repeats often, for rules R4 and
	// R10 mainly. Run sets it under -short and under the race detector.
	Quick bool

	// Parallel has Run call t.Parallel after the checks that need the process
	// to themselves, so that the kits of several pairs overlap from there on:
	// most of a kit is waiting. Under the race detector, where the processor
	// is what they wait for, and for Check it means nothing.
	Parallel bool

	// Tests of the kit shorten these.
	patience time.Duration // how long a call may take that needs no waiting
	settle   time.Duration // after which a channel is full that takes nothing, though the machine be busy or a packet lost
}

// Result is the outcome of one check.
type Result struct {
	Name    string        // fit for -run, such as "receive-cancel"
	Rule    string        // number and words, from package transport
	Err     error         // nil if the check passed
	Elapsed time.Duration // including opening and closing its pairs
}

// Rule is one entry of the list of checks.
type Rule struct {
	Check string // the check's name
	Text  string // the rule it checks: number and words, from package transport
}

// Checks returns every check in the order in which they are reported. It is
// the same list for every implementation.
func Checks() []Rule {
	list := make([]Rule, len(checks))
	for i, c := range checks {
		list[i] = Rule{c.name, c.rule}
	}
	return list
}

// HangError is a check that did not end in time, although all its contexts
// were done.
type HangError struct {
	After  time.Duration
	Stacks []byte // of all goroutines at that moment
}

func (e *HangError) Error() string {
	return fmt.Sprintf("still running after %v: some call did not return", e.After)
}

// Run runs every check as a subtest. opts may be nil.
func Run(t *testing.T, pair Pair, opts *Options) {
	t.Helper()
	o := opts.withDefaults()
	o.Quick = o.Quick || testing.Short() || raceEnabled
	shared := func() {}
	if o.Parallel && !raceEnabled {
		shared = t.Parallel
	}
	schedule(shared, func(c *check) {
		t.Run(c.name, func(t *testing.T) {
			err := c.guard(t.Context(), pair, o)
			if err == nil {
				return
			}
			if hang, ok := errors.AsType[*HangError](err); ok {
				t.Logf("%s", hang.Stacks)
			}
			t.Errorf("%v\nrule %s", err, c.rule)
		})
	})
}

// Check runs every check without package testing and calls report for each, in
// the order of Checks, one call at a time. It returns an error if a check
// failed or ctx was done. opts may be nil.
func Check(ctx context.Context, pair Pair, opts *Options, report func(Result)) error {
	o := opts.withDefaults()
	results := make([]*Result, len(checks))
	var mu sync.Mutex
	reported, failed := 0, 0
	schedule(func() {}, func(c *check) {
		start := time.Now()
		err := c.guard(ctx, pair, o)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed++
		}
		results[c.index] = &Result{Name: c.name, Rule: c.rule, Err: err, Elapsed: time.Since(start)}
		for reported < len(results) && results[reported] != nil {
			report(*results[reported])
			reported++
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("transporttest: %d of %d checks failed", failed, len(checks))
	}
	return nil
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.patience == 0 {
		out.patience = 20 * time.Second
	}
	if out.settle == 0 {
		out.settle = 1500 * time.Millisecond
	}
	return out
}

// workers is how many checks run at once, beside those that only wait.
const workers = 4

// schedule calls run for every check: first those that must be alone, because
// they count goroutines, bytes or seconds, then shared, then run for the rest,
// several at once.
func schedule(shared func(), run func(*check)) {
	for _, c := range checks {
		if c.alone {
			run(c)
		}
	}
	shared()
	var wg sync.WaitGroup
	queue := make(chan *check)
	for _, c := range checks {
		if c.waits {
			wg.Go(func() { run(c) })
		}
	}
	for range workers {
		wg.Go(func() {
			for c := range queue {
				run(c)
			}
		})
	}
	for _, c := range checks {
		if !c.alone && !c.waits {
			queue <- c
		}
	}
	close(queue)
	wg.Wait()
}

// guard runs the check under a watchdog. Its time is generous: no check needs a
// tenth of it on an idle machine.
func (c *check) guard(ctx context.Context, pair Pair, opts Options) error {
	limit := 5 * opts.patience
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	e := &env{pair: pair, Options: opts}
	done := make(chan error, 1)
	go func() {
		err := c.run(ctx, e)
		e.closeAll()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stacks := make([]byte, 1<<20)
	hang := &HangError{After: limit, Stacks: stacks[:runtime.Stack(stacks, true)]}
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		return fmt.Errorf("%w (%w)", err, hang)
	case <-time.After(opts.patience):
		return hang
	}
}
