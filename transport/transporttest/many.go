package transporttest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/chunkferry/chunkferry/transport"
)

// manyChannels sends large messages over many channels at once: carriers that
// share a window between them have been seen to stop for ever.
func manyChannels(ctx context.Context, e *env) error {
	as, bs, err := e.openMany(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(as))
	var wg sync.WaitGroup
	for i := range as {
		wg.Go(func() {
			if err := e.transfer(ctx, as[i], bs[i], same(4, transport.MessageSizeFloor)); err != nil {
				errs[i] = fmt.Errorf("channel %d of %d: %w", i, len(as), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// openMany opens 32 channels over one carrier, or 8 with a carrier each.
func (e *env) openMany(ctx context.Context) (as, bs []transport.Channel, err error) {
	if e.Many != nil {
		const n = 32
		as, bs, err = e.Many(ctx, n)
		if err != nil {
			return nil, nil, fmt.Errorf("open %d channels: %w", n, err)
		}
		e.closeLater(as...)
		e.closeLater(bs...)
		if len(as) != n || len(bs) != n {
			return nil, nil, fmt.Errorf("Options.Many returned %d and %d channels, want %d", len(as), len(bs), n)
		}
		return as, bs, nil
	}
	for range 8 {
		a, b, err := e.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	return as, bs, nil
}
