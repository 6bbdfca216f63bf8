package transporttest

import (
	"context"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func pairOf(opts *memchan.Options) Pair {
	return func(context.Context) (a, b transport.Channel, err error) {
		a, b = memchan.New(opts)
		return a, b, nil
	}
}

func cutOf(opts *memchan.Options) func(context.Context) (a, b transport.Channel, cut func(), err error) {
	return func(context.Context) (a, b transport.Channel, cut func(), err error) {
		end, other := memchan.New(opts)
		return end, other, end.Cut, nil
	}
}

// TestMemchan runs the kit on the reference implementation, in every shape that
// it can declare; its own package runs it on the defaults.
func TestMemchan(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts memchan.Options
	}{
		{"tiny", memchan.Options{MaxMessageSize: transport.MessageSizeFloor, MaxBuffered: 1, ReceiveBuffer: 1}},
		{"latency-rate", memchan.Options{Latency: 3 * time.Millisecond, Rate: 200 << 20}},
		{"loss", memchan.Options{Loss: 0.05}},
		{"unordered", memchan.Options{Unordered: true}},
		{"unordered-loss-latency", memchan.Options{Unordered: true, Loss: 0.1, Latency: time.Millisecond}},
		{"dead-peer", memchan.Options{DeadPeer: time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := tt.opts
			opts.CloseTimeout = time.Second
			Run(t, pairOf(&opts), &Options{Cut: cutOf(&opts), Quick: true, Parallel: true, patience: 6 * time.Second, settle: 100 * time.Millisecond})
		})
	}
}
