package transporttest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// mutant is a channel that breaks one rule. fault is called for each end of
// each link; make, where set, returns it afresh for faults that span links.
type mutant struct {
	check string // which must catch it
	name  string
	fault func(f *faulty)
	make  func() func(f *faulty)
	also  []string // checks that it trips besides, always or by chance
	timed bool     // its fault depends on the clock: on a busy machine it may trip any check
	opts  memchan.Options
}

// options are those of the kit: little patience, and a carrier to cut. The
// checks that must pass get more of it.
func (m *mutant) options(patience, closeTimeout time.Duration) (Pair, Options) {
	link := m.opts
	link.MaxMessageSize = 100_000
	link.MaxBuffered = 128 << 10
	link.ReceiveBuffer = 100_000
	if link.CloseTimeout == 0 {
		link.CloseTimeout = closeTimeout
	}
	fault := m.fault
	if m.make != nil {
		fault = m.make()
	}
	pair := func(context.Context) (transport.Channel, transport.Channel, error) {
		a, b := faultyLink(link, fault)
		return a, b, nil
	}
	cut := func(context.Context) (transport.Channel, transport.Channel, func(), error) {
		a, b := faultyLink(link, fault)
		return a, b, a.Cut, nil
	}
	opts := Options{Quick: true, Cut: cut, patience: patience, settle: patience / 60}
	return pair, opts
}

// TestEveryCheckIsProved runs each check on its mutants, which it must catch,
// and, without the race detector, the quick checks on every mutant, which only
// those it names may catch.
func TestEveryCheckIsProved(t *testing.T) {
	table := mutants(t)
	for _, c := range checks {
		if !slices.ContainsFunc(table, func(m *mutant) bool { return m.check == c.name }) {
			t.Errorf("check %s has no mutant: nothing shows that it can fail", c.name)
		}
	}
	byName := map[string]*check{}
	for _, c := range checks {
		byName[c.name] = c
	}
	for _, m := range table {
		for _, name := range append([]string{m.check}, m.also...) {
			if byName[name] == nil {
				t.Fatalf("mutant %s names the unknown check %s", m.name, name)
			}
		}
	}
	catches := func(m *mutant) {
		t.Run(m.check+"/"+m.name, func(t *testing.T) {
			pair, opts := m.options(3*time.Second, time.Second)
			if err := byName[m.check].guard(t.Context(), pair, opts); err == nil {
				t.Errorf("check %s passes on the mutant %q", m.check, m.name)
			} else if testing.Verbose() {
				t.Log(err)
			}
		})
	}
	for _, m := range table {
		if byName[m.check].alone {
			catches(m)
		}
	}
	inParallel(table, 16, func(m *mutant) {
		if !byName[m.check].alone {
			catches(m)
		}
	})
	if raceEnabled {
		return // what else a mutant trips is the same there, and costs minutes
	}
	inParallel(table, 5, func(m *mutant) {
		if m.timed {
			return
		}
		t.Run("only/"+m.check+"/"+m.name, func(t *testing.T) { tripsOnly(t, m) })
	})
}

// tripsOnly runs the quick checks but the mutant's own.
func tripsOnly(t *testing.T, m *mutant) {
	pair, opts := m.options(10*time.Second, 10*time.Second)
	var rest []*check
	for _, c := range checks {
		if !c.alone && !c.waits && c.name != m.check && !slices.Contains(m.also, c.name) {
			rest = append(rest, c)
		}
	}
	inParallel(rest, 6, func(c *check) {
		if err := c.guard(t.Context(), pair, opts); err != nil {
			t.Errorf("the mutant also trips %s: %v", c.name, err)
		}
	})
}

func inParallel[T any](list []T, n int, f func(T)) {
	queue := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for v := range queue {
				f(v)
			}
		})
	}
	for _, v := range list {
		queue <- v
	}
	close(queue)
	wg.Wait()
}
