package chunker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func TestSendFrameSizes(t *testing.T) {
	for _, chunk := range []int{1, 1000, chunker.DefaultChunkSize} {
		for _, size := range boundary(chunk) {
			t.Run(fmt.Sprintf("chunk=%d/size=%d", chunk, size), func(t *testing.T) {
				payload := pattern(size)
				var ch recorder
				if err := chunker.SendFrame(t.Context(), &ch, 42, payload, &chunker.FrameOptions{ChunkSize: chunk}); err != nil {
					t.Fatal(err)
				}
				want := frameMessages(42, payload, chunk)
				if len(ch.msgs) != len(want) {
					t.Fatalf("%d messages, want %d", len(ch.msgs), len(want))
				}
				r := chunker.NewReassembler(nil)
				for i, m := range ch.msgs {
					if !bytes.Equal(m, want[i]) {
						t.Fatalf("message %d differs", i)
					}
					f, complete, err := r.Add(m)
					if err != nil || complete != (i == len(want)-1) {
						t.Fatalf("message %d: complete %v, %v", i, complete, err)
					}
					if complete && (f.ID != 42 || !bytes.Equal(f.Payload, payload)) {
						t.Errorf("frame %d with %d bytes differs", f.ID, len(f.Payload))
					}
				}
			})
		}
	}
}

// TestFrameSendersInterleave lets several senders share a channel, and its
// reader tell their frames apart.
func TestFrameSendersInterleave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const senders, frames = 4, 10
		a, b := memchan.New(&memchan.Options{Rate: 1 << 20, Unordered: true, Latency: time.Millisecond})
		defer a.Close()
		defer b.Close()
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				fs, err := chunker.NewFrameSender(a, &chunker.FrameOptions{ChunkSize: 1000, HighWater: 8000})
				if err != nil {
					t.Error(err)
					return
				}
				for f := range frames {
					id := s*frames + f
					if err := fs.Send(t.Context(), uint32(id), pattern(id*500)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		r := chunker.NewReassembler(nil)
		seen := make(map[uint32]bool)
		for len(seen) < senders*frames {
			m, err := b.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f, complete, err := r.Add(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if complete {
				if seen[f.ID] || !bytes.Equal(f.Payload, pattern(int(f.ID)*500)) {
					t.Errorf("frame %d repeated or different", f.ID)
				}
				seen[f.ID] = true
			}
		}
		wg.Wait()
		if s := r.Stats(); s.Open != 0 || s.Frames != senders*frames || s.Rejected() != 0 || s.Dropped() != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestSendFrameErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(1000, math.MaxInt)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := chunker.SendFrame(ctx, w, 9, pattern(10_000), &chunker.FrameOptions{ChunkSize: 988, HighWater: 3000})
		wantChunkError(t, err, 3, context.DeadlineExceeded)
		if ce, ok := errors.AsType[*chunker.ChunkError](err); !ok || !ce.Framed || ce.Frame != 9 || ce.Total != 11 {
			t.Errorf("error %v does not name frame 9 and 11 chunks", err)
		}
		w.close()
		wantChunkError(t, chunker.SendFrame(t.Context(), w, 9, nil, nil), 0, transport.ErrClosed)
	})
	_, err := chunker.NewFrameSender(sink{}, &chunker.FrameOptions{ChunkSize: transport.MessageSizeFloor - 11})
	if !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
	if err := chunker.SendFrame(t.Context(), sink{}, 1, nil, &chunker.FrameOptions{ChunkSize: -1}); !errors.Is(err, chunker.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}

func TestFrameSenderAllocs(t *testing.T) {
	s, err := chunker.NewFrameSender(sink{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, id := pattern(400_000), uint32(0)
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Send(context.Background(), id, payload); err != nil {
			t.Fatal(err)
		}
		id++
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
