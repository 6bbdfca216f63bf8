package hub

import (
	"context"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// BenchmarkPort is what sharing a UDP port costs: messages of 48 KiB to a hub,
// and beside it to a listener of the transport alone.
func BenchmarkPort(b *testing.B) {
	for _, bench := range []struct {
		name string
		open func(b *testing.B) (from, to transport.Channel)
	}{
		{"transport=quic/port=own", ownQUIC}, {"transport=quic/port=shared", sharing("quic")},
		{"transport=webrtc/port=own", ownWebRTC}, {"transport=webrtc/port=shared", sharing("webrtc")},
	} {
		b.Run(bench.name, func(b *testing.B) {
			from, to := bench.open(b)
			defer transport.Abort(from)
			defer transport.Abort(to)
			msg := make([]byte, 48<<10)
			b.SetBytes(int64(len(msg)))
			received := make(chan error, 1)
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, err := to.Receive(b.Context()); err != nil {
						received <- err
						return
					}
				}
				received <- nil
			}()
			for range b.N {
				if from.BufferedAmount() > 512<<10 {
					if err := transport.Drain(b.Context(), from, 448<<10); err != nil {
						b.Fatal(err)
					}
				}
				if err := from.Send(msg); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-received; err != nil {
				b.Fatal(err)
			}
		})
	}
}

func sharing(name string) func(*testing.B) (from, to transport.Channel) {
	return func(b *testing.B) (from, to transport.Channel) {
		cert, err := pinned.New()
		if err != nil {
			b.Fatal(err)
		}
		h, err := Listen("127.0.0.1:0", cert, false)
		if err != nil {
			b.Fatal(err)
		}
		accepted := make(chan transport.Channel, 1)
		serving, stop := context.WithCancel(b.Context())
		served := make(chan struct{})
		go func() {
			defer close(served)
			h.Serve(serving, func(a Accepted) { accepted <- a.Channel })
		}()
		b.Cleanup(func() {
			stop()
			<-served
			h.Close()
		})
		from, err = Address{Host: h.Addr().String(), Pin: h.Pin()}.Dial(b.Context(), name, "")
		if err != nil {
			b.Fatal(err)
		}
		return from, <-accepted
	}
}

func ownQUIC(b *testing.B) (from, to transport.Channel) {
	l, err := quicchan.Listen("127.0.0.1:0", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	from, err = quicchan.Dial(b.Context(), l.URL(), &quicchan.Options{Pin: l.Pin()})
	if err != nil {
		b.Fatal(err)
	}
	to, err = l.Accept(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return from, to
}

func ownWebRTC(b *testing.B) (from, to transport.Channel) {
	l, err := dcchan.Listen("127.0.0.1:0", &dcchan.Options{SelfSigned: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	from, err = dcchan.Dial(b.Context(), l.URL(), &dcchan.Options{Pin: l.Pin()})
	if err != nil {
		b.Fatal(err)
	}
	to, err = l.Accept(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return from, to
}
