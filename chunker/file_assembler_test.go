package chunker_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/chunkferry/chunkferry/chunker"
)

// part returns one upload message.
func part(index, total uint32, payload string) []byte {
	return chunker.AppendUpload(nil, chunker.UploadHeader{Index: index, Total: total}, []byte(payload))
}

func newAssembler(t *testing.T, w io.WriterAt, opts *chunker.FileAssemblerOptions) *chunker.FileAssembler {
	t.Helper()
	a, err := chunker.NewFileAssembler(w, opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantPart adds a message and checks the outcome.
func wantPart(t *testing.T, a *chunker.FileAssembler, msg []byte, complete bool, want error) {
	t.Helper()
	got, err := a.Add(msg)
	if got != complete || !errors.Is(err, want) {
		t.Errorf("Add(%.16x) = %v, %v, want %v, %v", msg, got, err, complete, want)
	}
}

// TestFileAssemblerOrders adds the chunks in every order, the last one empty,
// short or full.
func TestFileAssemblerOrders(t *testing.T) {
	for _, last := range []string{"", "j", "jkl"} {
		t.Run("last="+last, func(t *testing.T) {
			chunks := []string{"abc", "def", "ghi", last}
			permute(len(chunks), func(order []int) {
				var f memFile
				a := newAssembler(t, &f, nil)
				for n, c := range order {
					msg := part(uint32(c), uint32(len(chunks)), chunks[c])
					wantPart(t, a, msg, n == len(order)-1, nil)
					clear(msg)
				}
				if want := "abcdefghi" + last; string(f.data) != want || a.ReceivedBytes() != int64(len(want)) {
					t.Errorf("order %v: %q, %d bytes, want %q", order, f.data, a.ReceivedBytes(), want)
				}
			})
		})
	}
}

// TestFileAssemblerFile writes a real file, out of order.
func TestFileAssemblerFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := pattern(1_000_000)
	var msgs [][]byte
	for at := 0; at < len(content); at += 1000 {
		msgs = append(msgs, part(uint32(at/1000), 1000, string(content[at:at+1000])))
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(msgs), func(i, j int) { msgs[i], msgs[j] = msgs[j], msgs[i] })
	assembleAll(t, f, msgs)
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Error("content differs")
	}
}

func TestFileAssemblerSizes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given int // ChunkSize
		msgs  [][]byte
		want  []error
	}{
		{"inner longer", 0, [][]byte{part(0, 4, "abc"), part(1, 4, "defg")}, []error{nil, chunker.ErrSizeMismatch}},
		{"inner shorter", 0, [][]byte{part(1, 4, "abc"), part(0, 4, "de")}, []error{nil, chunker.ErrSizeMismatch}},
		{"inner empty", 0, [][]byte{part(0, 2, "")}, []error{chunker.ErrSizeMismatch}},
		{"last longer", 0, [][]byte{part(0, 2, "abc"), part(1, 2, "defg")}, []error{nil, chunker.ErrSizeMismatch}},
		{"inner shorter than the last", 0, [][]byte{part(1, 2, "defg"), part(0, 2, "abc")}, []error{nil, chunker.ErrSizeMismatch}},
		{"inner not as given", 4, [][]byte{part(0, 2, "abc")}, []error{chunker.ErrSizeMismatch}},
		{"last longer than given", 4, [][]byte{part(1, 2, "abcde")}, []error{chunker.ErrSizeMismatch}},
		{"single longer than given", 4, [][]byte{part(0, 1, "abcde")}, []error{nil}},
		{"last first, as given", 4, [][]byte{part(1, 2, "e"), part(0, 2, "abcd")}, []error{nil, nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAssembler(t, new(memFile), &chunker.FileAssemblerOptions{ChunkSize: tt.given})
			for i, m := range tt.msgs {
				_, err := a.Add(m)
				if !errors.Is(err, tt.want[i]) {
					t.Errorf("message %d: %v, want %v", i, err, tt.want[i])
				}
			}
		})
	}
}

func TestFileAssemblerLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts chunker.FileAssemblerOptions
		msgs [][]byte
		want error // of the last message
	}{
		{"chunks at the limit", chunker.FileAssemblerOptions{MaxChunks: 3}, [][]byte{part(0, 3, "a")}, nil},
		{"chunks above", chunker.FileAssemblerOptions{MaxChunks: 3}, [][]byte{part(0, 4, "a")}, chunker.ErrLimit},
		{"single chunk at the limit", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(0, 1, "abcde")}, nil},
		{"single chunk above", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(0, 1, "abcdef")}, chunker.ErrLimit},
		{"file at the limit", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(0, 3, "ab"), part(2, 3, "e")}, nil},
		{"last chunk above", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(0, 3, "ab"), part(2, 3, "ef")}, chunker.ErrLimit},
		{"inner chunk above", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(0, 3, "abc")}, chunker.ErrLimit},
		{"inner chunk above with the last", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(2, 3, "ef"), part(0, 3, "ab")}, chunker.ErrLimit},
		{"last chunk first, above at once", chunker.FileAssemblerOptions{MaxSize: 5}, [][]byte{part(5, 6, "x")}, chunker.ErrLimit},
		{"offsets beyond 2^40", chunker.FileAssemblerOptions{MaxSize: math.MaxInt64, MaxChunks: math.MaxUint32},
			[][]byte{part(math.MaxUint32-2, math.MaxUint32, string(pattern(65528)))}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAssembler(t, sink{}, &tt.opts)
			for i, m := range tt.msgs {
				_, err := a.Add(m)
				if want := tt.want; i < len(tt.msgs)-1 {
					if err != nil {
						t.Fatal(err)
					}
				} else if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
		})
	}
	if _, err := chunker.NewFileAssembler(sink{}, &chunker.FileAssemblerOptions{ChunkSize: -1}); !errors.Is(err, chunker.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}

// TestFileAssemblerMemory scatters chunks over a file of 2^24: what is
// allocated stays near the formula, 4 bytes for each of 1,024 chunks around.
func TestFileAssemblerMemory(t *testing.T) {
	const total, stride = 1 << 24, 1 << 14
	a := newAssembler(t, sink{}, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := uint32(0); i < total-1; i += stride {
		if _, err := a.Add(part(i, total, "x")); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	const pages = total / stride * 4096
	if used := after.TotalAlloc - before.TotalAlloc; used > 2*pages {
		t.Errorf("%d bytes allocated, the pages need %d", used, pages)
	}
}

// faulty fails writes at the offsets it is told.
type faulty struct {
	memFile
	bad map[int64]error
}

func (f *faulty) WriteAt(p []byte, off int64) (int, error) {
	if err := f.bad[off]; err != nil {
		return 0, err
	}
	return f.memFile.WriteAt(p, off)
}

// TestFileAssemblerWriteError: a chunk that could not be written is missing,
// the error says which one, and the same message mends it.
func TestFileAssemblerWriteError(t *testing.T) {
	full := errors.New("no space left on device")
	located := func(t *testing.T, a *chunker.FileAssembler, msg []byte, index uint32) {
		t.Helper()
		_, err := a.Add(msg)
		wantChunkError(t, err, index, full)
	}
	t.Run("inner", func(t *testing.T) {
		f := &faulty{bad: map[int64]error{3: full}}
		a := newAssembler(t, f, nil)
		wantPart(t, a, part(0, 3, "abc"), false, nil)
		located(t, a, part(1, 3, "def"), 1)
		wantPart(t, a, part(2, 3, "g"), false, nil)
		f.bad = nil
		wantPart(t, a, part(1, 3, "def"), true, nil)
		if string(f.data) != "abcdefg" {
			t.Errorf("content %q", f.data)
		}
	})
	t.Run("first", func(t *testing.T) {
		f := &faulty{bad: map[int64]error{0: full}}
		a := newAssembler(t, f, nil)
		located(t, a, part(0, 3, "abc"), 0)
		// Nothing of it was accepted: another file may take its place.
		f.bad = nil
		wantPart(t, a, part(0, 2, "ab"), false, nil)
		wantPart(t, a, part(1, 2, "c"), true, nil)
		if string(f.data) != "abc" {
			t.Errorf("content %q", f.data)
		}
	})
	t.Run("held last", func(t *testing.T) {
		f := &faulty{bad: map[int64]error{6: full}}
		a := newAssembler(t, f, nil)
		wantPart(t, a, part(2, 3, "g"), false, nil)
		located(t, a, part(1, 3, "def"), 2)
		wantPart(t, a, part(2, 3, "g"), false, chunker.ErrDuplicate)
		f.bad = nil
		wantPart(t, a, part(1, 3, "def"), false, nil)
		wantPart(t, a, part(0, 3, "abc"), true, nil)
		if string(f.data) != "abcdefg" {
			t.Errorf("content %q", f.data)
		}
	})
	t.Run("after the held last", func(t *testing.T) {
		f := &faulty{bad: map[int64]error{0: full}}
		a := newAssembler(t, f, nil)
		wantPart(t, a, part(1, 2, "d"), false, nil)
		located(t, a, part(0, 2, "abc"), 0)
		wantPart(t, a, part(0, 2, "ab"), false, chunker.ErrSizeMismatch)
		f.bad = nil
		wantPart(t, a, part(0, 2, "abc"), true, nil)
		if string(f.data) != "abcd" {
			t.Errorf("content %q", f.data)
		}
	})
}

func missing(a *chunker.FileAssembler) []uint32 {
	var ranges []uint32
	for first, end := range a.Missing() {
		ranges = append(ranges, first, end)
	}
	return ranges
}

func TestFileAssemblerMissing(t *testing.T) {
	a := newAssembler(t, new(memFile), nil)
	check := func(want ...uint32) {
		t.Helper()
		if got := missing(a); !slices.Equal(got, want) {
			t.Errorf("missing %v, want %v", got, want)
		}
	}
	check()
	wantPart(t, a, part(7, 8, "x"), false, nil) // held
	check(0, 7)
	wantPart(t, a, part(3, 8, "x"), false, nil)
	check(0, 3, 4, 7)
	wantPart(t, a, part(0, 8, "x"), false, nil)
	check(1, 3, 4, 7)
	if a.TotalChunks() != 8 || a.ReceivedChunks() != 3 || a.ReceivedBytes() != 3 || a.Complete() {
		t.Errorf("total %d, received %d, %d bytes", a.TotalChunks(), a.ReceivedChunks(), a.ReceivedBytes())
	}
	// Chunks may be added while the ranges are read.
	for first, end := range a.Missing() {
		for i := first; i < end; i++ {
			wantPart(t, a, part(i, 8, "x"), i == 6, nil)
		}
	}
	check()
	if !a.Complete() {
		t.Error("not complete")
	}
}

// TestFileAssemblerConcurrent adds from several goroutines, as several
// channels would, every chunk twice: each is accepted once.
func TestFileAssemblerConcurrent(t *testing.T) {
	const chunks, workers = 3000, 4
	content := pattern(chunks * 10)
	var f memFile
	a := newAssembler(t, &f, nil)
	var wg sync.WaitGroup
	results := make([]struct{ accepted, completed int }, workers)
	for w := range workers {
		wg.Go(func() {
			for n := range chunks {
				i := (n*workers/2 + w/2) % chunks
				complete, err := a.Add(part(uint32(i), chunks, string(content[i*10:i*10+10])))
				if err == nil {
					results[w].accepted++
				} else if !errors.Is(err, chunker.ErrDuplicate) && !errors.Is(err, chunker.ErrLate) {
					t.Error(err)
				}
				if complete {
					results[w].completed++
				}
				if got := a.ReceivedBytes(); got > int64(len(content)) {
					t.Errorf("%d bytes received", got)
				}
			}
		})
	}
	wg.Wait()
	accepted, completed := 0, 0
	for _, r := range results {
		accepted += r.accepted
		completed += r.completed
	}
	if got := fmt.Sprint(missing(a)); accepted > chunks || completed > 1 || (completed == 1) != a.Complete() {
		t.Errorf("%d accepted, %d times complete, missing %s", accepted, completed, got)
	}
	for first, end := range a.Missing() {
		for i := first; i < end; i++ {
			if _, err := a.Add(part(i, chunks, string(content[i*10:i*10+10]))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !a.Complete() || !bytes.Equal(f.data, content) {
		t.Error("content differs")
	}
}
