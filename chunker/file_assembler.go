package chunker

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
)

// FileAssemblerOptions bound a [FileAssembler]. A nil pointer and zero fields
// mean the defaults.
type FileAssemblerOptions struct {
	// ChunkSize is the payload, in bytes, of every chunk but the last.
	// Default: that of the first chunk to arrive that is not the last one.
	ChunkSize int

	// MaxSize is the largest file accepted, in bytes. Default 1 TiB.
	MaxSize int64

	// MaxChunks is the most chunks that a file may announce. It bounds the
	// memory, 4 bytes a chunk. Default 2^24, hence 64 MiB.
	MaxChunks uint32
}

func (o *FileAssemblerOptions) withDefaults() (FileAssemblerOptions, error) {
	var d FileAssemblerOptions
	if o != nil {
		d = *o
	}
	if d.ChunkSize < 0 || d.MaxSize < 0 {
		return d, fmt.Errorf("%w: negative chunk size or limit", ErrInvalid)
	}
	d.MaxSize = orDefault(d.MaxSize, 1<<40)
	d.MaxChunks = orDefault(d.MaxChunks, 1<<24)
	return d, nil
}

// FileAssembler writes the chunks of one upload to their places in a file, in
// whatever order they arrive. It keeps no payload but the last chunk's, and
// that only if it arrives before the size of the others is known. It holds a
// checksum of 4 bytes for each chunk of every 1,024 of which one has arrived,
// until the file is complete.
//
// A chunk that arrives again is compared by that checksum, seeded at random:
// one with other bytes is taken for a duplicate once in 2^32, and is not
// written in any case.
//
// Any goroutine may call any method at any time; Adds take turns. The
// counters do not wait for an Add.
type FileAssembler struct {
	w io.WriterAt
	o FileAssemblerOptions

	// written under mu, read by anybody
	total         atomic.Uint32 // 0 until the first chunk
	received      atomic.Uint32
	receivedBytes atomic.Int64

	mu        sync.Mutex // guards the fields below
	chunkSize int        // 0 until known
	sums      sums
	held      []byte // the last chunk, as long as chunkSize is not known
	holding   bool
}

// NewFileAssembler returns a FileAssembler that writes to w, which is neither
// truncated nor synced nor closed: if it was not empty, truncate it to
// ReceivedBytes when it is complete. Gaps are left where chunks are missing, so
// an early chunk may make a sparse file of up to MaxSize.
//
// Errors: [ErrInvalid].
func NewFileAssembler(w io.WriterAt, opts *FileAssemblerOptions) (*FileAssembler, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return &FileAssembler{w: w, o: o, chunkSize: o.ChunkSize, sums: newSums()}, nil
}

// Add takes one upload message, writes its chunk, and keeps nothing of msg. It
// reports whether the file is now complete.
//
// After an error nothing of the message was accepted and the same message may
// be added again. Errors: [ErrTooShort], [ErrZeroTotal], [ErrIndexRange],
// [ErrTotalMismatch], [ErrSizeMismatch], [ErrDuplicate], [ErrConflict],
// [ErrLate], [ErrLimit], and what w returns. All but ErrTooShort are located
// in a [ChunkError].
func (a *FileAssembler) Add(msg []byte) (complete bool, err error) {
	h, payload, err := ParseUpload(msg)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.check(h, payload); err != nil {
		return false, h.fail(err)
	}
	if err := a.place(h, payload); err != nil {
		return false, err
	}
	if !a.Complete() {
		return false, nil
	}
	a.sums.release()
	return true, nil
}

// check says what is wrong with a chunk, and changes nothing.
func (a *FileAssembler) check(h UploadHeader, payload []byte) error {
	total := a.total.Load()
	switch {
	case a.Complete():
		return ErrLate
	case total == 0 && h.Total > a.o.MaxChunks:
		return fmt.Errorf("%w: MaxChunks is %d", ErrLimit, a.o.MaxChunks)
	case total != 0 && h.Total != total:
		return fmt.Errorf("%w: %d", ErrTotalMismatch, total)
	}
	if same, ok := a.compare(h, payload); ok {
		if same {
			return ErrDuplicate
		}
		return ErrConflict
	}
	if h.last() {
		return a.checkLast(h, len(payload))
	}
	return a.checkInner(h, len(payload))
}

// checkInner checks the size of a chunk that is not the last one: it is the
// same for all of them.
func (a *FileAssembler) checkInner(h UploadHeader, n int) error {
	switch {
	case a.chunkSize != 0 && n != a.chunkSize:
		return fmt.Errorf("%w: %d bytes, the others have %d", ErrSizeMismatch, n, a.chunkSize)
	case n == 0:
		return fmt.Errorf("%w: empty chunk before the last one", ErrSizeMismatch)
	case len(a.held) > n:
		return fmt.Errorf("%w: %d bytes, the last chunk has %d", ErrSizeMismatch, n, len(a.held))
	}
	return a.checkSize(h, n, len(a.held))
}

// checkLast checks the size of the last chunk: at most that of the others.
func (a *FileAssembler) checkLast(h UploadHeader, n int) error {
	if h.Total > 1 && a.chunkSize != 0 && n > a.chunkSize {
		return fmt.Errorf("%w: %d bytes, the others have %d", ErrSizeMismatch, n, a.chunkSize)
	}
	return a.checkSize(h, max(a.chunkSize, 1), n)
}

// checkSize checks the size of the whole file against MaxSize.
func (a *FileAssembler) checkSize(h UploadHeader, chunk, last int) error {
	if left := a.o.MaxSize - int64(last); left < 0 || int64(h.Total-1) > left/int64(chunk) {
		return fmt.Errorf("%w: MaxSize is %d", ErrLimit, a.o.MaxSize)
	}
	return nil
}

// compare tells whether chunk h.Index is there already, and with these bytes.
func (a *FileAssembler) compare(h UploadHeader, payload []byte) (same, ok bool) {
	if a.holding && h.last() {
		return bytes.Equal(a.held, payload), true
	}
	return a.sums.compare(h.Index, payload)
}

// place writes a chunk that was checked, or holds it if its place is not known
// yet. The chunk that makes it known first lets the held one go.
func (a *FileAssembler) place(h UploadHeader, payload []byte) error {
	if h.last() && h.Total > 1 && a.chunkSize == 0 {
		a.held, a.holding = bytes.Clone(payload), true
		a.count(h, len(payload))
		return nil
	}
	size := a.chunkSize
	if !h.last() {
		size = len(payload)
	}
	if a.holding {
		if err := a.write(UploadHeader{Index: h.Total - 1, Total: h.Total}, a.held, size); err != nil {
			return err
		}
		a.chunkSize, a.held, a.holding = size, nil, false
	}
	if err := a.write(h, payload, size); err != nil {
		return err
	}
	if !h.last() {
		a.chunkSize = size
	}
	a.count(h, len(payload))
	return nil
}

func (a *FileAssembler) write(h UploadHeader, payload []byte, chunkSize int) error {
	if _, err := a.w.WriteAt(payload, int64(h.Index)*int64(chunkSize)); err != nil {
		return h.fail(err)
	}
	a.sums.set(h.Index, payload)
	return nil
}

func (a *FileAssembler) count(h UploadHeader, n int) {
	a.total.Store(h.Total)
	a.receivedBytes.Add(int64(n))
	a.received.Add(1)
}

// TotalChunks returns the chunks of the file, 0 until the first has arrived.
func (a *FileAssembler) TotalChunks() uint32 { return a.total.Load() }

// ReceivedChunks returns the chunks that have arrived.
func (a *FileAssembler) ReceivedChunks() uint32 { return a.received.Load() }

// ReceivedBytes returns the payload bytes that have arrived. When the file is
// complete, that is its size.
func (a *FileAssembler) ReceivedBytes() int64 { return a.receivedBytes.Load() }

// Complete reports whether every chunk is written.
func (a *FileAssembler) Complete() bool {
	total := a.total.Load()
	return total > 0 && a.received.Load() == total
}

// Missing returns the chunks that have not arrived, as ranges of indices from
// the first to the one after the last. Before the first chunk nothing is known
// to be missing. Chunks may be added meanwhile.
func (a *FileAssembler) Missing() iter.Seq2[uint32, uint32] {
	return func(yield func(first, end uint32) bool) {
		for at := uint32(0); ; {
			first, end := a.gap(at)
			if first == end || !yield(first, end) {
				return
			}
			at = end
		}
	}
}

// gap returns the first range of missing chunks from index at on, empty if
// there is none.
func (a *FileAssembler) gap(at uint32) (first, end uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	total := a.total.Load()
	if a.Complete() {
		return total, total
	}
	if a.holding {
		total-- // the last one has arrived
	}
	first = a.sums.find(false, at, total)
	return first, a.sums.find(true, first, total)
}
