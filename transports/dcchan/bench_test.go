package dcchan_test

import (
	"fmt"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

const (
	benchSize = 48 << 10
	benchHigh = 640 << 10 // where a sender stops
	benchLow  = 320 << 10 // where it goes on
)

// BenchmarkChannel moves 48 KiB messages one way and counts the bytes at the
// receiver: through this package, through pion with the same settings, and
// through pion with its own. All pace themselves with the same marks.
func BenchmarkChannel(b *testing.B) {
	b.Run(fmt.Sprintf("adapter=dcchan/size=%dKiB", benchSize>>10), benchAdapter)
	b.Run(fmt.Sprintf("raw=pion/size=%dKiB", benchSize>>10), func(b *testing.B) { benchRaw(b, dcchan.Configure) })
	b.Run(fmt.Sprintf("raw=pion-defaults/size=%dKiB", benchSize>>10), func(b *testing.B) {
		benchRaw(b, func(*webrtc.SettingEngine) {})
	})
}

func benchAdapter(b *testing.B) {
	ctx := b.Context()
	a, z, err := dcchan.Pair(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer z.Close()
	defer a.Close()
	b.SetBytes(benchSize)
	b.ReportAllocs()
	end := make(chan int, 1)
	go func() {
		got := 0
		for {
			m, err := z.Receive(ctx)
			if err != nil || len(m.Data) == 0 {
				end <- got
				return
			}
			got += len(m.Data)
		}
	}()
	msg := make([]byte, benchSize)
	sent := 0
	for b.Loop() {
		if a.BufferedAmount() >= benchHigh {
			if err := transport.Drain(ctx, a, benchLow); err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Send(msg); err != nil {
			b.Fatal(err)
		}
		sent += len(msg)
	}
	if err := a.Send(nil); err != nil {
		b.Fatal(err)
	}
	if got := <-end; got != sent {
		b.Fatalf("%d of %d bytes delivered", got, sent)
	}
}

func benchRaw(b *testing.B, configure func(*webrtc.SettingEngine)) {
	a, z := rawPair(b, configure)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	end := make(chan int, 1)
	got := 0
	z.OnMessage(func(m webrtc.DataChannelMessage) {
		if len(m.Data) == 0 {
			end <- got
		}
		got += len(m.Data)
	})
	low := make(chan struct{}, 1)
	a.SetBufferedAmountLowThreshold(benchLow)
	a.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	msg := make([]byte, benchSize)
	sent := 0
	for b.Loop() {
		for a.BufferedAmount() >= benchHigh {
			<-low
		}
		if err := a.Send(msg); err != nil {
			b.Fatal(err)
		}
		sent += len(msg)
	}
	if err := a.Send(nil); err != nil {
		b.Fatal(err)
	}
	if got := <-end; got != sent {
		b.Fatalf("%d of %d bytes delivered", got, sent)
	}
}
