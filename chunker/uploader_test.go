package chunker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// boundary returns the sizes around the ends of the first chunks of c bytes.
func boundary(c int) []int { return []int{0, 1, c - 1, c, c + 1, 2 * c, 2*c + 500} }

func newUploader(t *testing.T, ch transport.MessageChannel, content []byte, opts *chunker.UploaderOptions) *chunker.Uploader {
	t.Helper()
	u, err := chunker.NewUploader(ch, bytes.NewReader(content), int64(len(content)), opts)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantChunkError checks that err is located at chunk index and wraps target.
func wantChunkError(t *testing.T, err error, index uint32, target error) {
	t.Helper()
	ce, ok := errors.AsType[*chunker.ChunkError](err)
	if !ok || ce.Index != index || !errors.Is(err, target) {
		t.Errorf("error %v, want %v at chunk %d", err, target, index)
	}
}

func TestUploadSizes(t *testing.T) {
	for _, chunk := range []int{1, 7, 1000, chunker.DefaultChunkSize} {
		for _, size := range boundary(chunk) {
			t.Run(fmt.Sprintf("chunk=%d/size=%d", chunk, size), func(t *testing.T) {
				content := pattern(size)
				total := uint32(max(1, (size+chunk-1)/chunk))
				var ch recorder
				var seen []chunker.Progress
				u := newUploader(t, &ch, content, &chunker.UploaderOptions{
					ChunkSize: chunk,
					Progress:  func(p chunker.Progress) { seen = append(seen, p) },
				})
				if u.Size() != int64(size) || u.TotalChunks() != total || u.UploadedChunks() != 0 {
					t.Errorf("size %d, total %d, uploaded %d before the upload", u.Size(), u.TotalChunks(), u.UploadedChunks())
				}
				if err := u.Upload(t.Context()); err != nil {
					t.Fatal(err)
				}
				if u.UploadedChunks() != total || len(ch.msgs) != int(total) {
					t.Errorf("%d chunks uploaded in %d messages, want %d", u.UploadedChunks(), len(ch.msgs), total)
				}
				for i, p := range seen {
					want := chunker.Progress{
						SentChunks: uint32(i + 1), TotalChunks: total,
						SentBytes: int64(min((i+1)*chunk, size)), TotalBytes: int64(size),
					}
					if p != want {
						t.Errorf("progress %d is %+v, want %+v", i, p, want)
					}
				}
				if len(seen) != int(total) {
					t.Errorf("%d calls of Progress, want %d", len(seen), total)
				}
				var f memFile
				assembleAll(t, &f, ch.msgs)
				if !bytes.Equal(f.data, content) {
					t.Error("content differs")
				}
			})
		}
	}
}

// described is a channel that declares properties.
type described struct {
	transport.MessageChannel
	props transport.Properties
}

func (d described) Properties() transport.Properties { return d.props }

func TestNewUploaderRefuses(t *testing.T) {
	small := described{sink{}, transport.Properties{MaxMessageSize: 1008, Reliable: true}}
	lossy := described{sink{}, transport.Properties{MaxMessageSize: 1 << 20, Ordered: true}}
	for _, tt := range []struct {
		name string
		ch   transport.MessageChannel
		size int64
		opts chunker.UploaderOptions
		want error
	}{
		{"message of the declared limit", small, 5, chunker.UploaderOptions{ChunkSize: 1000}, nil},
		{"message above the declared limit", small, 5, chunker.UploaderOptions{ChunkSize: 1001}, transport.ErrTooLarge},
		{"default chunk above the declared limit", small, 5, chunker.UploaderOptions{}, transport.ErrTooLarge},
		{"message of the floor", sink{}, 5, chunker.UploaderOptions{ChunkSize: transport.MessageSizeFloor - 8}, nil},
		{"message above the floor", sink{}, 5, chunker.UploaderOptions{ChunkSize: transport.MessageSizeFloor - 7}, transport.ErrTooLarge},
		{"huge chunk", sink{}, 5, chunker.UploaderOptions{ChunkSize: math.MaxInt}, transport.ErrTooLarge},
		{"unreliable", lossy, 5, chunker.UploaderOptions{}, chunker.ErrUnreliable},
		{"2^32-1 chunks", sink{}, math.MaxUint32, chunker.UploaderOptions{ChunkSize: 1}, nil},
		{"2^32 chunks", sink{}, math.MaxUint32 + 1, chunker.UploaderOptions{ChunkSize: 1}, chunker.ErrLimit},
		{"largest size", sink{}, math.MaxInt64, chunker.UploaderOptions{}, chunker.ErrLimit},
		{"negative size", sink{}, -1, chunker.UploaderOptions{}, chunker.ErrInvalid},
		{"negative chunk", sink{}, 5, chunker.UploaderOptions{ChunkSize: -1}, chunker.ErrInvalid},
		{"negative mark", sink{}, 5, chunker.UploaderOptions{LowWater: -1}, chunker.ErrInvalid},
		{"low above high", sink{}, 5, chunker.UploaderOptions{HighWater: 1000, LowWater: 1001}, chunker.ErrInvalid},
		{"low above the default high", sink{}, 5, chunker.UploaderOptions{LowWater: 64 << 20}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chunker.NewUploader(tt.ch, bytes.NewReader(nil), tt.size, &tt.opts)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	_, err := chunker.NewUploader(small, nil, 5, nil)
	if se, ok := errors.AsType[*transport.SizeError](err); !ok || se.Limit != 1008 || se.Size != 49160 || !strings.Contains(err.Error(), "1008") {
		t.Errorf("error %v does not name the limit", err)
	}
}

// TestUploadPacing sends over a channel that must be polled: the buffer never
// exceeds the high mark, never runs dry, and everything is released at the end.
func TestUploadPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, size = 1 << 20, 8 << 20
		w := newWire(rate, math.MaxInt)
		u := newUploader(t, w, pattern(size), &chunker.UploaderOptions{ChunkSize: 16 << 10, HighWater: 256 << 10, LowWater: 64 << 10})
		began := time.Now()
		if err := u.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.peak > 256<<10 {
			t.Errorf("buffered amount reached %d, above the high mark", w.peak)
		}
		if got := w.BufferedAmount(); got != 0 {
			t.Errorf("%d bytes buffered when Upload returned", got)
		}
		wireBytes := size + chunker.UploadHeaderSize*int(u.TotalChunks())
		least := time.Duration(float64(wireBytes) / rate * float64(time.Second))
		if took := time.Since(began); took < least || took > least+10*time.Millisecond {
			t.Errorf("took %v, the wire alone needs %v", took, least)
		}
	})
}

// TestUploadMarksClipped: a channel that declares less room than the default
// high mark is never asked for more.
func TestUploadMarksClipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(1<<20, 200_000)
		ch := described{w, transport.Properties{MaxMessageSize: 65535, MaxBuffered: 200_000, Reliable: true, Ordered: true}}
		if err := newUploader(t, ch, pattern(4<<20), nil).Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.refused > 0 || w.peak > 200_000 {
			t.Errorf("%d messages refused, peak %d", w.refused, w.peak)
		}
	})
}

// TestUploadBufferFull: a full channel is backpressure, whatever the marks.
func TestUploadBufferFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(1<<20, 100_000) // below the marks, and not declared
		u := newUploader(t, w, pattern(2<<20), nil)
		began := time.Now()
		if err := u.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.refused == 0 {
			t.Error("the channel was never full: the test proves nothing")
		}
		if took := time.Since(began); took > 2200*time.Millisecond {
			t.Errorf("took %v for 2 s of data", took)
		}
	})
}

// stuck refuses messages with nothing buffered until a given time.
type stuck struct {
	sink
	until time.Time
	tries int
}

func (s *stuck) Send([]byte) error {
	s.tries++
	if time.Now().Before(s.until) {
		return transport.ErrBufferFull
	}
	return nil
}

func TestUploadFullThoughEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := &stuck{until: time.Now().Add(time.Second)}
		if err := newUploader(t, ch, pattern(10), nil).Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ch.tries > 100 {
			t.Errorf("%d tries in a second: a busy loop", ch.tries)
		}
		ch.until = time.Now().Add(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantChunkError(t, newUploader(t, ch, pattern(10), nil).Upload(ctx), 0, context.DeadlineExceeded)
	})
}

// TestUploadMemchan uploads over a channel that wakes its sender: it takes
// exactly as long as the link.
func TestUploadMemchan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, rate = 4 << 20, 1 << 20
		a, b := memchan.New(&memchan.Options{Rate: rate, MaxBuffered: 256 << 10})
		defer a.Close()
		defer b.Close()
		content := pattern(size)
		var f memFile
		received := make(chan error, 1)
		go func() {
			n, err := chunker.ReceiveFile(t.Context(), b, &f, nil)
			if err == nil && n != size {
				err = fmt.Errorf("received %d bytes, want %d", n, size)
			}
			received <- err
		}()
		u := newUploader(t, a, content, nil)
		began := time.Now()
		if err := u.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.data, content) {
			t.Error("content differs")
		}
		wireBytes := size + chunker.UploadHeaderSize*int(u.TotalChunks())
		least := time.Duration(float64(wireBytes) / rate * float64(time.Second))
		if took > least+time.Millisecond {
			t.Errorf("took %v, the link alone needs %v", took, least)
		}
	})
}

func TestUploadCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(1000, math.MaxInt)
		u := newUploader(t, w, pattern(1000_000), &chunker.UploaderOptions{ChunkSize: 992, HighWater: 5000, LowWater: 1000})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := u.Upload(ctx)
		if took := time.Since(began); took != 2500*time.Millisecond {
			t.Errorf("returned after %v, want at the deadline", took)
		}
		wantChunkError(t, err, u.UploadedChunks(), context.DeadlineExceeded)
		if n := u.UploadedChunks(); n != 5 {
			t.Errorf("%d chunks sent, want the 5 that fit below the high mark", n)
		}
	})
}

func TestUploadCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var ch recorder
	wantChunkError(t, newUploader(t, &ch, pattern(10), nil).Upload(ctx), 0, context.Canceled)
	if len(ch.msgs) != 0 {
		t.Error("a message was sent")
	}
}

// TestUploadFlushCancel: everything is accepted, nothing released.
func TestUploadFlushCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(1, math.MaxInt)
		u := newUploader(t, w, pattern(2500), &chunker.UploaderOptions{ChunkSize: 1000})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantChunkError(t, u.Upload(ctx), 2, context.DeadlineExceeded)
		if u.UploadedChunks() != 3 {
			t.Errorf("%d chunks counted, want 3", u.UploadedChunks())
		}
	})
}

func TestUploadClosed(t *testing.T) {
	t.Run("polled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(1000, math.MaxInt)
			u := newUploader(t, w, pattern(100_000), &chunker.UploaderOptions{ChunkSize: 992, HighWater: 5000, LowWater: 1000})
			time.AfterFunc(1500*time.Millisecond, w.close)
			began := time.Now()
			wantChunkError(t, u.Upload(t.Context()), 5, transport.ErrClosed)
			if took := time.Since(began); took > 1510*time.Millisecond {
				t.Errorf("noticed after %v, closed after 1.5 s", took)
			}
		})
	})
	t.Run("woken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memchan.New(&memchan.Options{Rate: 1000})
			defer a.Close()
			u := newUploader(t, a, pattern(100_000), &chunker.UploaderOptions{ChunkSize: 992, HighWater: 5000})
			time.AfterFunc(1500*time.Millisecond, func() { transport.Abort(b) })
			began := time.Now()
			wantChunkError(t, u.Upload(t.Context()), u.UploadedChunks(), transport.ErrClosed)
			if took := time.Since(began); took != 1500*time.Millisecond {
				t.Errorf("noticed after %v, aborted after 1.5 s", took)
			}
		})
	})
	t.Run("before", func(t *testing.T) {
		w := newWire(1, math.MaxInt)
		w.close()
		wantChunkError(t, newUploader(t, w, pattern(10), nil).Upload(t.Context()), 0, transport.ErrClosed)
	})
	t.Run("connecting", func(t *testing.T) {
		w := newWire(1, math.MaxInt)
		w.state = transport.StateConnecting
		wantChunkError(t, newUploader(t, w, pattern(10), nil).Upload(t.Context()), 0, transport.ErrNotOpen)
	})
}

// silent discards messages while it closes, as a browser's WebSocket does.
type silent struct{ sink }

func (silent) ReadyState() transport.State { return transport.StateClosing }

func TestUploadSilentDiscard(t *testing.T) {
	wantChunkError(t, newUploader(t, silent{}, pattern(10), nil).Upload(t.Context()), 0, transport.ErrClosed)
}

func TestUploadOnce(t *testing.T) {
	u := newUploader(t, sink{}, pattern(200_000), nil)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() { errs <- u.Upload(t.Context()) })
	}
	wg.Wait()
	close(errs)
	done := 0
	for err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, chunker.ErrUsed) {
			t.Errorf("error %v, want ErrUsed", err)
		}
	}
	if done != 1 {
		t.Errorf("%d of the uploads ran, want 1", done)
	}
}

// TestUploadCountersConcurrent is for the race detector.
func TestUploadCountersConcurrent(t *testing.T) {
	u := newUploader(t, sink{}, pattern(1<<20), &chunker.UploaderOptions{ChunkSize: 100})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for last := uint32(0); last < u.TotalChunks(); {
			n := u.UploadedChunks()
			if n < last {
				t.Errorf("counter fell from %d to %d", last, n)
				return
			}
			last = n
		}
	})
	if err := u.Upload(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUploadAllocs: what an upload allocates does not depend on its chunks.
func TestUploadAllocs(t *testing.T) {
	allocs := func(chunks int) float64 {
		content := pattern(chunks * 100)
		return testing.AllocsPerRun(20, func() {
			u, err := chunker.NewUploader(sink{}, bytes.NewReader(content), int64(len(content)), &chunker.UploaderOptions{ChunkSize: 100})
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Upload(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(1), allocs(5000); many > few {
		t.Errorf("%v allocations for 1 chunk, %v for 5000", few, many)
	}
}

// The mark in force is the one chosen or the one that suits the channel, and not
// more than the channel can buffer.
func TestUploaderHighWater(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		capacity, mark, want int
	}{
		{"chosen", 1 << 20, 300_000, 300_000},
		{"clipped", 200_000, 300_000, 200_000},
		{"by default, clipped", 200_000, 0, 200_000},
		{"by default", 64 << 20, 0, 256 << 10}, // memchan releases a message when it is received
	} {
		a, _ := memchan.New(&memchan.Options{MaxMessageSize: 65535, MaxBuffered: tt.capacity})
		u := newUploader(t, a, nil, &chunker.UploaderOptions{HighWater: tt.mark})
		if got := u.HighWater(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
