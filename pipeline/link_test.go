package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// TestLinkUsed sends over links of a known rate and demands most of it, with
// opening and receipt included.
func TestLinkUsed(t *testing.T) {
	const mbit = 1e6 / 8
	for name, tt := range map[string]struct {
		rate, size int
		rtt        time.Duration
		least      float64
	}{
		"1 Mbit, 300 ms":  {1 * mbit, 4 << 20, 300 * time.Millisecond, 0.95},
		"100 Mbit, 1 ms":  {100 * mbit, 100 << 20, time.Millisecond, 0.98},
		"100 Mbit, 50 ms": {100 * mbit, 200e6, 50 * time.Millisecond, 0.97},
		"1 Gbit, 50 ms":   {1000 * mbit, 400 << 20, 50 * time.Millisecond, 0.80},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, nil)
				d.srv = pipeline.NewServer(nowhere{}, nil)
				link := &memchan.Options{Rate: tt.rate, Latency: tt.rtt / 2, MaxBuffered: 64 << 20, ReceiveBuffer: 16 << 20}
				data := repeated(make([]byte, 1<<20))
				began := time.Now()
				_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, pipeline.Blob("f", data, int64(tt.size), ""), nil)
				if err != nil {
					t.Fatal(err)
				}
				ideal := time.Duration(float64(tt.size) / float64(tt.rate) * float64(time.Second))
				if share := float64(ideal) / float64(time.Since(began)); share < tt.least || share > 1 {
					t.Errorf("used %.1f %% of the link, want %.0f %%", 100*share, 100*tt.least)
				} else {
					t.Logf("used %.1f %% of the link", 100*share)
				}
			})
		})
	}
}

// slowSink takes a minute for everything.
type slowSink struct{ pipeline.MemorySink }

type slowStore struct {
	pipeline.Store
	writes atomic.Int64
}

func (s *slowSink) Open(ctx context.Context, m *pipeline.Manifest, restart bool) (pipeline.Store, error) {
	time.Sleep(time.Minute)
	st, err := s.MemorySink.Open(ctx, m, restart)
	return &slowStore{Store: st}, err
}

func (s *slowStore) Held(ctx context.Context) (pipeline.Held, error) {
	time.Sleep(time.Minute)
	return s.Store.Held(ctx)
}

func (s *slowStore) WriteBlock(n uint32, data []byte, h pipeline.Hash) error {
	if s.writes.Add(1)%16 == 0 {
		time.Sleep(time.Minute)
	}
	return s.Store.WriteBlock(n, data, h)
}

func (s *slowStore) Sync(ctx context.Context) error {
	time.Sleep(time.Minute)
	return s.Store.Sync(ctx)
}

func (s *slowStore) Commit(ctx context.Context, size int64, root pipeline.Hash) (*pipeline.Receipt, error) {
	time.Sleep(time.Minute)
	return s.Store.Commit(ctx, size, root)
}

// TestSlowSink demands patience: a receiver that works is not a dead channel.
func TestSlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		sink := &slowSink{}
		d.srv = pipeline.NewServer(sink, nil)
		data := noise(3 << 20)
		r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data),
			&pipeline.SendOptions{BlockSize: 64 * kib, Event: func(e pipeline.Event) {
				if e.Kind != pipeline.EventConnected {
					t.Errorf("%s: %v", e.Kind, e.Err)
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent != r.Size {
			t.Errorf("sent %d bytes of %d", r.Sent, r.Size)
		}
	})
}

// sieve loses everything that is sent from some point on, and says nothing.
type sieve struct {
	*memchan.Channel
	left *atomic.Int64
}

func (s *sieve) Send(msg []byte) error {
	if s.left.Add(-1) < 0 {
		return nil
	}
	return s.Channel.Send(msg)
}

// TestOneWayDeath blocks one direction alone: the receiver still speaks.
func TestOneWayDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(4 << 20)
		var left atomic.Int64
		left.Store(10)
		first := pipeline.Route{Name: "quic", Open: func(context.Context) (transport.Channel, error) {
			return &sieve{d.dial(nil), &left}, nil
		}}
		var lost error
		began := time.Now()
		r, err := pipeline.Send(t.Context(), []pipeline.Route{first, d.route("wss", nil)}, blob("f", data),
			&pipeline.SendOptions{Event: func(e pipeline.Event) {
				if e.Kind == pipeline.EventLost {
					lost = e.Err
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		if took := time.Since(began); took > 15*time.Second || !errors.Is(lost, pipeline.ErrIdle) {
			t.Errorf("took %v, lost the first channel for %v, routes %q", took, lost, r.Routes)
		}
	})
}

// TestMemoryFlat counts every allocation during a transfer much larger than
// what either side may hold.
func TestMemoryFlat(t *testing.T) {
	d := newDock(t, nil)
	d.srv = pipeline.NewServer(nowhere{}, nil)
	data := repeated(make([]byte, 1<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Blob("f", data, 512<<20, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const both = 32<<20 + 16<<20 + 16<<20 // sender's blocks, receiver's, the channel
	if n := after.TotalAlloc - before.TotalAlloc; n > both {
		t.Errorf("%d bytes allocated in all, want at most %d", n, both)
	}
}

// TestChunksAllocateNothing sends the same in few and in many chunks and
// compares the number of allocations. Waiting for room allocates, and how often
// that happens depends on the machine.
func TestChunksAllocateNothing(t *testing.T) {
	d := newDock(t, nil)
	d.srv = pipeline.NewServer(nowhere{}, nil)
	data := repeated(make([]byte, 1<<20))
	const size = 64 << 20
	count := func(chunk int) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Blob("f", data, size, ""),
			&pipeline.SendOptions{ChunkSize: chunk})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return int64(after.Mallocs - before.Mallocs)
	}
	count(64 * kib) // warm
	few, many := count(64*kib), count(2*kib)
	if chunks := int64(size / (2 * kib)); many-few > chunks/2 {
		t.Errorf("%d allocations for %d chunks, %d for %d", few, size/(64*kib), many, chunks)
	}
}
