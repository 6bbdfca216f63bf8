package compare

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// The ways in which a run fails to count.
var (
	// ErrStalled: no byte was delivered for Config.Stall.
	ErrStalled = errors.New("compare: transfer stalled")

	// ErrUnverified: the receiver ended up with other bytes than were sent.
	ErrUnverified = errors.New("compare: content differs at the receiver")
)

// run is one transfer over one fresh pair of channels.
type run struct {
	delivered  int64
	seconds    float64
	cpuSeconds float64 // both sides; 0 where the system does not say
	peakMemory int64   // bytes, of the whole process; 0 where the system does not say
	props      transport.Properties
	err        error
}

func (s source) run(ctx context.Context, carrier Carrier, dir Direction, cfg Config) (r run) {
	a, b, err := carrier.Pair(ctx)
	if err != nil {
		r.err = fmt.Errorf("open %s: %w", carrier.Name, err)
		return r
	}
	from, to := a, b
	if dir == Down {
		from, to = b, a
	}
	defer closeBoth(a, b)
	r.props, _ = transport.PropertiesOf(from)

	// What an earlier run left behind is not this run's memory.
	debug.FreeOSMemory()
	resetPeakMemory()
	cpu := cpuSeconds()
	begin := time.Now()
	v := newVerifier()
	err = s.transfer(ctx, from, to, v, cfg)
	got := sum(v.hash)
	r.seconds = time.Since(begin).Seconds()
	r.cpuSeconds = cpuSeconds() - cpu
	r.peakMemory = peakMemory()
	r.delivered = v.delivered.Load()
	if err == nil && (r.delivered != s.size || got != s.hash) {
		err = fmt.Errorf("%w: %d bytes of %d, BLAKE3 %x instead of %x", ErrUnverified, r.delivered, s.size, got[:8], s.hash[:8])
	}
	r.err = err
	return r
}

// transfer runs the uploader and the assembler against each other and returns
// the first error of either.
func (s source) transfer(ctx context.Context, from, to transport.Channel, v *verifier, cfg Config) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	up, err := chunker.OpenUploader(from, s.path, &chunker.UploaderOptions{ChunkSize: cfg.ChunkSize})
	if err != nil {
		return err
	}
	defer up.Close()

	var wg sync.WaitGroup
	wg.Go(func() {
		if err := up.Upload(ctx); err != nil {
			cancel(err)
		}
	})
	received := make(chan struct{})
	wg.Go(func() {
		defer close(received)
		if _, err := chunker.ReceiveFile(ctx, to, v, nil); err != nil {
			cancel(err)
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(cfg.Stall)
		defer tick.Stop()
		for before := int64(-1); ; {
			select {
			case <-received:
				return
			case <-tick.C:
				now := v.delivered.Load()
				if now == before {
					cancel(fmt.Errorf("%w: %d bytes delivered, nothing for %v", ErrStalled, now, cfg.Stall))
					return
				}
				before = now
			}
		}
	})
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// closeBoth closes both ends at once, as either waits for the other.
func closeBoth(a, b transport.Channel) {
	var wg sync.WaitGroup
	wg.Go(func() { a.Close() })
	wg.Go(func() { b.Close() })
	wg.Wait()
}
