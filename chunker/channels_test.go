package chunker_test

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// recorder is a channel of the three methods alone that releases at once and
// keeps a copy of every message.
type recorder struct{ msgs [][]byte }

func (r *recorder) ReadyState() transport.State { return transport.StateOpen }
func (r *recorder) BufferedAmount() int         { return 0 }
func (r *recorder) Send(msg []byte) error {
	r.msgs = append(r.msgs, bytes.Clone(msg))
	return nil
}

// wire is a channel of the three methods alone, so that a sender must poll it.
// It releases rate bytes a second and refuses what exceeds capacity.
type wire struct {
	rate, capacity int

	mu       sync.Mutex
	start    time.Time // of the busy period
	queued   int       // since start
	peak     int
	messages int
	refused  int
	state    transport.State
}

func newWire(rate, capacity int) *wire {
	return &wire{rate: rate, capacity: capacity, state: transport.StateOpen}
}

func (w *wire) ReadyState() transport.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func (w *wire) BufferedAmount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffered()
}

func (w *wire) buffered() int {
	if w.queued == 0 {
		return 0
	}
	released := int(time.Since(w.start).Seconds() * float64(w.rate))
	if released >= w.queued {
		w.queued = 0
		return 0
	}
	return w.queued - released
}

func (w *wire) Send(msg []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != transport.StateOpen {
		return transport.ErrClosed
	}
	held := w.buffered()
	if held > 0 && held+len(msg) > w.capacity {
		w.refused++
		return transport.ErrBufferFull
	}
	if w.queued == 0 {
		w.start = time.Now()
	}
	w.queued += len(msg)
	w.peak = max(w.peak, held+len(msg))
	w.messages++
	return nil
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = transport.StateClosed
}

// memFile is a file in memory that grows as it is written.
type memFile struct{ data []byte }

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(f.data) {
		f.data = slices.Grow(f.data, need-len(f.data))[:need]
	}
	return copy(f.data[off:], p), nil
}

// pattern returns n bytes, byte i being i mod 251: the period divides no
// power of two, so that swapped chunks differ.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

func assembleAll(t *testing.T, w io.WriterAt, msgs [][]byte) {
	t.Helper()
	a, err := chunker.NewFileAssembler(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range msgs {
		complete, err := a.Add(m)
		if err != nil {
			t.Fatal(err)
		}
		if complete != (i == len(msgs)-1) {
			t.Fatalf("complete %v after message %d of %d", complete, i+1, len(msgs))
		}
	}
}
