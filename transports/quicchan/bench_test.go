package quicchan_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// BenchmarkThroughput sends messages one way over loopback, counted at the
// receiver: through a channel, and beside it what quic-go alone does with
// writes of the same size on a stream with the same windows.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 48 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("raw=quic/size=%dKiB", size>>10), func(b *testing.B) { benchmarkRaw(b, size) })
		b.Run(fmt.Sprintf("adapter=quicchan/size=%dKiB", size>>10), func(b *testing.B) { benchmarkAdapter(b, size) })
	}
}

func benchmarkRaw(b *testing.B, size int) {
	b.Helper()
	client, server := newConns(b, &quic.Config{MaxStreamReceiveWindow: quicchan.DefaultReceiveWindow})
	out, err := client.OpenUniStream()
	if err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, size)
	go func() {
		for {
			if _, err := out.Write(msg); err != nil {
				return
			}
		}
	}()
	in, err := server.AcceptUniStream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.ReadFull(in, buf); err != nil {
			b.Fatal(err)
		}
	}
	out.CancelWrite(0)
}

func benchmarkAdapter(b *testing.B, size int) {
	b.Helper()
	ch, peer, err := quicchan.Pair(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer transport.Abort(peer)
	defer transport.Abort(ch)
	msg := make([]byte, size)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go func() {
		for transport.Drain(ctx, ch, 1<<20) == nil {
			for ch.BufferedAmount() < 4<<20 && ch.Send(msg) == nil {
			}
		}
	}()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		got, err := peer.Receive(ctx)
		if err != nil || len(got.Data) != size {
			b.Fatal(len(got.Data), err)
		}
	}
}
