package chunker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
)

// chunkOf returns one frame message.
func chunkOf(frame, index, total uint32, payload string) []byte {
	return chunker.AppendFrame(nil, chunker.FrameHeader{Frame: frame, Index: index, Total: total}, []byte(payload))
}

// wantAdd adds a message and checks the error and the payload of the frame
// that it completes, "-" for none.
func wantAdd(t *testing.T, r *chunker.Reassembler, msg []byte, want string, wantErr error) {
	t.Helper()
	f, complete, err := r.Add(msg)
	got := "-"
	if complete {
		got = string(f.Payload)
	}
	if got != want || !errors.Is(err, wantErr) {
		t.Errorf("Add(%.20x) = %q, %v, want %q, %v", msg, got, err, want, wantErr)
	}
}

// TestReassemblerOrders adds the chunks of a frame in every order. They are
// of unequal sizes, some empty.
func TestReassemblerOrders(t *testing.T) {
	chunks := []string{"a", "", "ccc", "dd", ""}
	r := chunker.NewReassembler(nil)
	frame := uint32(0)
	permute(len(chunks), func(order []int) {
		frame++
		for i, c := range order {
			want := "-"
			if i == len(order)-1 {
				want = "acccdd"
			}
			wantAdd(t, r, chunkOf(frame, uint32(c), uint32(len(chunks)), chunks[c]), want, nil)
		}
	})
	if s := r.Stats(); frame != 120 || s.Frames != 120 || s.Chunks != 600 || s.Bytes != 720 || s.Open != 0 {
		t.Errorf("stats %+v after %d frames", s, frame)
	}
}

// permute calls f with every order of n things.
func permute(n int, f func([]int)) {
	order := make([]int, 0, n)
	used := make([]bool, n)
	var step func()
	step = func() {
		if len(order) == n {
			f(order)
		}
		for i := range n {
			if !used[i] {
				used[i], order = true, append(order, i)
				step()
				used[i], order = false, order[:len(order)-1]
			}
		}
	}
	step()
}

// TestReassemblerShuffled carries frames of real size, interleaved and out of
// order, and compares every byte.
func TestReassemblerShuffled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	frames := make(map[uint32][]byte)
	var msgs [][]byte
	for id := range uint32(20) {
		frames[id] = pattern(300_000 + rng.IntN(200_000))
		msgs = append(msgs, frameMessages(id, frames[id], chunker.DefaultChunkSize)...)
	}
	rng.Shuffle(len(msgs), func(i, j int) { msgs[i], msgs[j] = msgs[j], msgs[i] })
	r := chunker.NewReassembler(nil)
	done := 0
	for _, m := range msgs {
		f, complete, err := r.Add(m)
		if err != nil {
			t.Fatal(err)
		}
		if complete {
			done++
			if !bytes.Equal(f.Payload, frames[f.ID]) {
				t.Errorf("frame %d differs", f.ID)
			}
		}
	}
	if done != len(frames) {
		t.Errorf("%d frames, want %d", done, len(frames))
	}
}

func TestReassemblerMaxFrames(t *testing.T) {
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxFrames: 2})
	wantAdd(t, r, chunkOf(1, 0, 2, "a"), "-", nil)
	wantAdd(t, r, chunkOf(2, 1, 2, "b"), "-", nil)
	wantAdd(t, r, chunkOf(3, 0, 2, "c"), "-", nil) // evicts 1
	wantAdd(t, r, chunkOf(1, 1, 2, "A"), "-", chunker.ErrEvicted)
	wantAdd(t, r, chunkOf(2, 0, 2, "B"), "Bb", nil)
	wantAdd(t, r, chunkOf(3, 1, 2, "C"), "cC", nil)
	if s := r.Stats(); s.EvictedFrames != 1 || s.Evicted != 1 || s.Dropped() != 1 || s.Rejected() != 1 || s.Open != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestReassemblerLimits(t *testing.T) {
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxChunks: 3, MaxFrameSize: 10})
	wantAdd(t, r, chunkOf(1, 0, 4, "a"), "-", chunker.ErrLimit)
	wantAdd(t, r, chunkOf(1, 0, 1, "12345678901"), "-", chunker.ErrLimit)
	wantAdd(t, r, chunkOf(1, 0, 1, "1234567890"), "1234567890", nil)
	// A frame that grows too large is dropped, in order or not.
	wantAdd(t, r, chunkOf(2, 0, 3, "12345"), "-", nil)
	wantAdd(t, r, chunkOf(2, 2, 3, "12345"), "-", nil)
	wantAdd(t, r, chunkOf(2, 1, 3, "x"), "-", chunker.ErrLimit)
	wantAdd(t, r, chunkOf(2, 1, 3, ""), "-", chunker.ErrEvicted)
	if s := r.Stats(); s.Limit != 3 || s.EvictedSize != 1 || s.Evicted != 1 || s.Open != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestReassemblerMaxBytes holds frames until the memory ends: the oldest go
// first, what is held never exceeds the limit, and the rest completes.
func TestReassemblerMaxBytes(t *testing.T) {
	const limit = 100_000
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxBytes: limit})
	big := string(pattern(10_000))
	for id := range uint32(20) {
		for _, i := range []uint32{0, 2} { // one in order, one early
			wantAdd(t, r, chunkOf(id, i, 3, big), "-", nil)
			if s := r.Stats(); s.Held > limit {
				t.Fatalf("%d bytes held", s.Held)
			}
		}
	}
	s := r.Stats()
	if s.EvictedMemory == 0 || s.Open < 2 {
		t.Fatalf("stats %+v: nothing evicted, or nearly everything", s)
	}
	wantAdd(t, r, chunkOf(0, 1, 3, big), "-", chunker.ErrEvicted)
	wantAdd(t, r, chunkOf(19, 1, 3, big), big+big+big, nil)
	// One frame alone that does not fit.
	var err error
	for i := uint32(0); err == nil && i < 20; i++ {
		_, _, err = r.Add(chunkOf(100, i, 20, big))
	}
	if !errors.Is(err, chunker.ErrLimit) {
		t.Errorf("error %v, want ErrLimit", err)
	}
	if s := r.Stats(); s.Open != 0 || s.Held > limit {
		t.Errorf("stats %+v after a frame that does not fit", s)
	}
}

// TestReassemblerHostileTotals opens frames that announce 2^32-1 chunks: what
// is allocated follows what has arrived.
func TestReassemblerHostileTotals(t *testing.T) {
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxChunks: math.MaxUint32, MaxFrameSize: math.MaxInt, MaxBytes: math.MaxInt})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for id := range uint32(1000) {
		wantAdd(t, r, chunkOf(id, id%2*(math.MaxUint32-1), math.MaxUint32, "x"), "-", nil)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated for 1000 payload bytes", used)
	}
}

func TestReassemblerMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxAge: time.Second})
		wantAdd(t, r, chunkOf(1, 0, 3, "a"), "-", nil)
		time.Sleep(time.Second)                        // in the bubble, as below: the age is what is tested
		wantAdd(t, r, chunkOf(1, 1, 3, "b"), "-", nil) // just in time
		wantAdd(t, r, chunkOf(2, 0, 2, "x"), "-", nil)
		time.Sleep(time.Nanosecond)                                   // in the bubble
		wantAdd(t, r, chunkOf(1, 2, 3, "c"), "-", chunker.ErrEvicted) // chunks do not renew a frame
		wantAdd(t, r, chunkOf(2, 1, 2, "y"), "xy", nil)
		wantAdd(t, r, chunkOf(3, 0, 2, "x"), "-", nil)
		if n := r.Expire(); n != 0 {
			t.Errorf("%d frames expired, want none", n)
		}
		time.Sleep(time.Second + 1) // in the bubble
		if n := r.Expire(); n != 1 {
			t.Errorf("%d frames expired, want 1", n)
		}
		if s := r.Stats(); s.EvictedAge != 2 || s.Open != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestReassemblerWindow(t *testing.T) {
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{Window: 3})
	for id := range uint32(3) {
		wantAdd(t, r, chunkOf(id, 0, 1, "a"), "a", nil)
	}
	wantAdd(t, r, chunkOf(0, 0, 1, "a"), "-", chunker.ErrLate)
	wantAdd(t, r, chunkOf(3, 0, 1, "a"), "a", nil) // 0 leaves the window
	wantAdd(t, r, chunkOf(1, 0, 1, "a"), "-", chunker.ErrLate)
	wantAdd(t, r, chunkOf(0, 0, 1, "b"), "b", nil) // 1 leaves it
	wantAdd(t, r, chunkOf(2, 0, 1, "a"), "-", chunker.ErrLate)
	wantAdd(t, r, chunkOf(3, 0, 1, "a"), "-", chunker.ErrLate)
	wantAdd(t, r, chunkOf(1, 0, 1, "b"), "b", nil)
}

// TestReassemblerRepeats repeats chunks of unequal sizes, in order and early.
func TestReassemblerRepeats(t *testing.T) {
	r := chunker.NewReassembler(nil)
	chunks := []string{"a", "", "bbbb", "cc", "-", "dddddddd", "-"}
	for i, c := range chunks {
		if c == "-" {
			continue
		}
		wantAdd(t, r, chunkOf(1, uint32(i), 7, c), "-", nil)
		for j, c := range chunks[:i+1] {
			if c == "-" {
				continue
			}
			wantAdd(t, r, chunkOf(1, uint32(j), 7, c), "-", chunker.ErrDuplicate)
			wantAdd(t, r, chunkOf(1, uint32(j), 7, c+"x"), "-", chunker.ErrConflict)
		}
	}
}

// TestReassemblerUnequalGrowth sends sizes that promise less than has come: a
// frame is not copied anew for each.
func TestReassemblerUnequalGrowth(t *testing.T) {
	const total, first = 2000, 1 << 20
	r := chunker.NewReassembler(nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wantAdd(t, r, chunkOf(1, 0, total, string(make([]byte, first))), "-", nil)
	for i := uint32(1); i < total-1; i++ {
		wantAdd(t, r, chunkOf(1, i, total, "x"), "-", nil)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 10*first {
		t.Errorf("%d bytes allocated for a frame of %d", used, first+total)
	}
}

// TestReassemblerSpareBuffers: a small frame does not sit on a large spare
// buffer, so the next large frame finds it.
func TestReassemblerSpareBuffers(t *testing.T) {
	const large = 1 << 20
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxBytes: 3 * large / 2})
	big := string(pattern(large))
	for id := uint32(0); id < 20; id += 2 {
		wantAdd(t, r, chunkOf(id, 0, 1, big), big, nil)
		wantAdd(t, r, chunkOf(id+1, 0, 2, "small"), "-", nil)
	}
	if s := r.Stats(); s.Open != 10 || s.Dropped() != 0 {
		t.Errorf("%d small frames open, %d dropped, want all 10", s.Open, s.Dropped())
	}
}

func TestReassemblerClear(t *testing.T) {
	r := chunker.NewReassembler(nil)
	wantAdd(t, r, chunkOf(1, 0, 2, "a"), "-", nil)
	wantAdd(t, r, chunkOf(2, 0, 1, "b"), "b", nil)
	r.Clear()
	if s := r.Stats(); s.Open != 0 || s.Held != 0 || s.Cleared != 1 || s.Frames != 1 {
		t.Errorf("stats %+v", s)
	}
	wantAdd(t, r, chunkOf(1, 1, 2, "B"), "-", nil) // ids may be used again
	wantAdd(t, r, chunkOf(1, 0, 2, "A"), "AB", nil)
	wantAdd(t, r, chunkOf(2, 0, 1, "b"), "b", nil)
}

// TestReassemblerStats brings about every error once and finds it counted.
func TestReassemblerStats(t *testing.T) {
	r := chunker.NewReassembler(&chunker.ReassemblerOptions{MaxChunks: 9})
	wantAdd(t, r, []byte("short"), "-", chunker.ErrTooShort)
	wantAdd(t, r, chunkOf(1, 0, 0, ""), "-", chunker.ErrZeroTotal)
	wantAdd(t, r, chunkOf(1, 2, 2, ""), "-", chunker.ErrIndexRange)
	wantAdd(t, r, chunkOf(1, 0, 10, ""), "-", chunker.ErrLimit)
	wantAdd(t, r, chunkOf(1, 0, 3, "a"), "-", nil)
	wantAdd(t, r, chunkOf(1, 2, 3, "c"), "-", nil)
	wantAdd(t, r, chunkOf(1, 1, 4, "b"), "-", chunker.ErrTotalMismatch)
	wantAdd(t, r, chunkOf(1, 0, 3, "a"), "-", chunker.ErrDuplicate)
	wantAdd(t, r, chunkOf(1, 2, 3, "c"), "-", chunker.ErrDuplicate)
	wantAdd(t, r, chunkOf(1, 0, 3, "x"), "-", chunker.ErrConflict)
	wantAdd(t, r, chunkOf(1, 2, 3, "cc"), "-", chunker.ErrConflict)
	wantAdd(t, r, chunkOf(1, 1, 3, "b"), "abc", nil)
	wantAdd(t, r, chunkOf(1, 1, 3, "b"), "-", chunker.ErrLate)
	got := r.Stats()
	got.Held = 0
	want := chunker.Stats{
		Frames: 1, Chunks: 3, Bytes: 3,
		TooShort: 1, ZeroTotal: 1, IndexRange: 1, TotalMismatch: 1,
		Duplicate: 2, Conflict: 2, Late: 1, Limit: 1,
	}
	if got != want || got.Rejected() != 10 {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestReassemblerPayloadOwned: a message's bytes may be overwritten at once,
// and a payload lives until the next Add.
func TestReassemblerPayloadOwned(t *testing.T) {
	r := chunker.NewReassembler(nil)
	for _, order := range [][]uint32{{0, 1, 2}, {2, 1, 0}} {
		var got chunker.Frame
		for _, i := range order {
			msg := chunkOf(order[0], i, 3, fmt.Sprint("chunk", i))
			f, complete, err := r.Add(msg)
			if err != nil {
				t.Fatal(err)
			}
			clear(msg)
			if complete {
				got = f
			}
		}
		if want := "chunk0chunk1chunk2"; string(got.Payload) != want {
			t.Errorf("payload %q, want %q", got.Payload, want)
		}
	}
}

// TestReassemblerConcurrent is for the race detector.
func TestReassemblerConcurrent(t *testing.T) {
	r := chunker.NewReassembler(nil)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for ctx.Err() == nil {
			r.Stats()
			r.Expire()
		}
	})
	for id := range uint32(1000) {
		for i := range uint32(3) {
			if _, _, err := r.Add(chunkOf(id, i, 3, "abc")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestReassemblerAllocs: once warm, frames in order cost no allocation, one at
// a time or several interleaved.
func TestReassemblerAllocs(t *testing.T) {
	const chunks = 9
	for _, interleaved := range []int{1, 3, 20} {
		t.Run(fmt.Sprintf("interleaved=%d", interleaved), func(t *testing.T) {
			r := chunker.NewReassembler(nil)
			msg := chunkOf(0, 0, chunks, string(pattern(5000)))
			var first uint32
			round := func() {
				for i := range uint32(chunks) {
					for f := range uint32(interleaved) {
						chunker.AppendFrame(msg[:0], chunker.FrameHeader{Frame: first + f, Index: i, Total: chunks}, nil)
						if _, _, err := r.Add(msg); err != nil {
							t.Fatal(err)
						}
					}
				}
				first += uint32(interleaved)
			}
			for range 300 / interleaved {
				round()
			}
			if n := testing.AllocsPerRun(200, round); n != 0 {
				t.Errorf("%v allocations per round of %d frames", n, interleaved)
			}
		})
	}
}
