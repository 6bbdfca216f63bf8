package transporttest

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
)

// Bench measures how fast messages of several sizes, up to the channel's limit,
// are delivered from a to b. What counts is delivered: the time ends when the
// receiver has the last byte, and on a channel that loses messages the metric
// delivered-MB/s counts only what arrived. The names pivot in benchstat:
// size=48KiB.
func Bench(b *testing.B, pair Pair) {
	from, to, err := pair(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	limit := properties(from).MaxMessageSize
	e := &env{opened: []transport.Channel{from, to}}
	e.closeAll()
	for _, bench := range []struct {
		name string
		size int
	}{
		{"1KiB", 1 << 10}, {"4KiB", 4 << 10}, {"16KiB", 16 << 10}, {"48KiB", 48 << 10},
		{"64KiB-1", 64<<10 - 1}, {"256KiB", 256 << 10}, {"1MiB", 1 << 20},
	} {
		if bench.size <= limit {
			b.Run("size="+bench.name, func(b *testing.B) { benchSize(b, pair, bench.size) })
		}
	}
}

// benchSize uses b.N, not b.Loop, whose clock would stop before the last
// messages have arrived.
func benchSize(b *testing.B, pair Pair, size int) {
	ctx := b.Context()
	from, to, err := pair(ctx)
	if err != nil {
		b.Fatal(err)
	}
	e := &env{opened: []transport.Channel{from, to}}
	defer e.closeAll()
	msg := transport.Message{Data: pattern(0, size)}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()

	received := make(chan error, 1)
	delivered := 0
	go func() {
		for delivered < b.N*size {
			m, err := to.Receive(ctx)
			if err != nil {
				received <- err
				return
			}
			delivered += len(m.Data)
		}
		received <- nil
	}()
	for range b.N {
		if err := send(ctx, from, msg); err != nil {
			b.Fatal(err)
		}
	}
	if !properties(from).Reliable {
		_ = from.Close() // so that the receiver sees an end
	}
	if err := <-received; err != nil && !errors.Is(err, io.EOF) {
		b.Fatal(fmt.Errorf("after %d of %d bytes: %w", delivered, b.N*size, err))
	}
	b.StopTimer()
	b.ReportMetric(float64(delivered)/b.Elapsed().Seconds()/1e6, "delivered-MB/s")
}
