package chunker

import (
	"bytes"
	"errors"
	"testing"
)

var errDisk = errors.New("disk failed")

// disk is a file whose n-th write from now fails, if n is not zero.
type disk struct {
	data   []byte
	failIn int
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	if d.failIn > 0 {
		if d.failIn--; d.failIn == 0 {
			return 0, errDisk
		}
	}
	if short := int(off) + len(p) - len(d.data); short > 0 {
		d.data = append(d.data, make([]byte, short)...)
	}
	return copy(d.data[off:], p), nil
}

// FuzzFileAssembler runs a program of operations, failing writes among them,
// on a FileAssembler and on a model that keeps every chunk in a map.
func FuzzFileAssembler(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 3, 0, 0, 3, 1, 0, 1, 2, 5, 0, 2, 2, 5, 0, 0, 2, 5})
	f.Add([]byte{7, 0, 3, 2, 1, 3, 5, 1, 0, 0, 1, 7, 0, 0, 1, 7, 2, 9, 4, 4, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		p := program(in)
		m := newFileModel(t, p.below(9))
		for len(p) > 0 {
			m.step(&p)
		}
		m.finish()
	})
}

type fileModel struct {
	t         *testing.T
	d         *disk
	a         *FileAssembler
	total     uint32
	chunkSize int
	chunks    map[uint32][]byte
}

func newFileModel(t *testing.T, chunkSize int) *fileModel {
	d := new(disk)
	a, err := NewFileAssembler(d, &FileAssemblerOptions{ChunkSize: chunkSize, MaxSize: 60, MaxChunks: 6})
	if err != nil {
		t.Fatal(err)
	}
	return &fileModel{t: t, d: d, a: a, chunkSize: chunkSize, chunks: make(map[uint32][]byte)}
}

func (m *fileModel) step(p *program) {
	switch p.below(5) {
	case 0, 1: // a chunk that fits the file as far as it is known
		h := UploadHeader{Index: uint32(p.below(6)), Total: uint32(p.below(6) + 1)}
		if m.total > 0 {
			h.Total = m.total
			h.Index %= m.total
		}
		payload := p.payload()
		if m.chunkSize > 0 && !h.last() {
			payload = bytes.Repeat([]byte{'x'}, m.chunkSize)
		}
		m.add(AppendUpload(nil, h, payload))
	case 2: // any header
		h := UploadHeader{Index: uint32(p.below(9)), Total: uint32(p.below(9))}
		m.add(AppendUpload(nil, h, p.payload()))
	case 3: // a chunk again
		i := uint32(p.below(6))
		if c, ok := m.chunks[i]; ok {
			m.add(AppendUpload(nil, UploadHeader{Index: i, Total: m.total}, c))
		}
	case 4:
		if p.below(4) == 0 {
			m.add(bytes.Repeat([]byte{1}, p.below(UploadHeaderSize)))
		} else {
			m.d.failIn = p.below(3)
		}
	}
}

// finish adds what is missing; then the file is whole and no memory is held.
func (m *fileModel) finish() {
	m.d.failIn = 0
	if m.total == 0 {
		m.add(AppendUpload(nil, UploadHeader{Total: 1}, []byte("x")))
	}
	size := m.chunkSize
	if size == 0 {
		size = max(1, len(m.chunks[m.total-1]))
	}
	for i := range m.total - 1 {
		if _, ok := m.chunks[i]; ok {
			continue
		}
		if int(m.total)*size > 60 {
			return // cannot complete within MaxSize
		}
		m.add(AppendUpload(nil, UploadHeader{Index: i, Total: m.total}, bytes.Repeat([]byte{'z'}, size)))
	}
	if _, ok := m.chunks[m.total-1]; !ok {
		m.add(AppendUpload(nil, UploadHeader{Index: m.total - 1, Total: m.total}, nil))
	}
	if !m.a.Complete() || m.a.sums.pages != nil || m.a.held != nil {
		m.t.Fatalf("complete %v, memory %v %v", m.a.Complete(), m.a.sums.pages, m.a.held)
	}
}

func (m *fileModel) add(msg []byte) {
	h, payload, want := ParseUpload(msg)
	if want == nil {
		want = m.predict(h, payload)
	} else {
		want = headerFault(want)
	}
	complete, err := m.a.Add(msg)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		m.t.Fatalf("%+v %q: %v, want %v", h, payload, err, want)
	}
	if err == nil {
		m.total = h.Total
		m.chunks[h.Index] = bytes.Clone(payload)
		if complete != (len(m.chunks) == int(m.total)) {
			m.t.Fatalf("%+v: complete %v with %d chunks", h, complete, len(m.chunks))
		}
	}
	m.check()
}

// predict returns the error that a message deserves, failing writes included.
func (m *fileModel) predict(h UploadHeader, payload []byte) error {
	n, last := len(payload), h.Index == h.Total-1
	held, holding := m.chunks[h.Total-1]
	holding = holding && m.chunkSize == 0 && h.Total > 1 && m.total == h.Total
	switch {
	case m.total > 0 && len(m.chunks) == int(m.total):
		return ErrLate
	case m.total == 0 && h.Total > 6:
		return ErrLimit
	case m.total > 0 && h.Total != m.total:
		return ErrTotalMismatch
	}
	if c, ok := m.chunks[h.Index]; ok {
		if bytes.Equal(c, payload) {
			return ErrDuplicate
		}
		return ErrConflict
	}
	size := m.chunkSize
	if !last {
		if size == 0 {
			size = n
		}
		if n != size || n == 0 || (holding && len(held) > n) {
			return ErrSizeMismatch
		}
	} else if h.Total > 1 && size > 0 && n > size {
		return ErrSizeMismatch
	}
	file := int(h.Total-1) * max(size, 1) // the least that it can become
	if last {
		file += n
	} else if holding {
		file += len(held)
	}
	if file > 60 {
		return ErrLimit
	}
	switch {
	case last && h.Total > 1 && size == 0: // no write
	case holding && m.d.failIn == 1:
		return errDisk
	case holding && m.d.failIn == 2:
		m.chunkSize = size
		return errDisk
	case m.d.failIn == 1:
		return errDisk
	case !last:
		m.chunkSize = size
	}
	return nil
}

// check compares what is known, missing and written.
func (m *fileModel) check() {
	m.t.Helper()
	if m.a.TotalChunks() != m.total || m.a.ReceivedChunks() != uint32(len(m.chunks)) || m.a.chunkSize != m.chunkSize {
		m.t.Fatalf("total %d, received %d, chunk size %d; want %d, %d, %d", m.a.TotalChunks(),
			m.a.ReceivedChunks(), m.a.chunkSize, m.total, len(m.chunks), m.chunkSize)
	}
	size := 0
	for i, c := range m.chunks {
		size += len(c)
		if m.chunkSize == 0 && m.total > 1 {
			continue // only the last one, and held
		}
		at := int(i) * m.chunkSize
		if at+len(c) > len(m.d.data) || !bytes.Equal(m.d.data[at:at+len(c)], c) {
			m.t.Fatalf("chunk %d is not at %d", i, at)
		}
	}
	if got := m.a.ReceivedBytes(); got != int64(size) {
		m.t.Fatalf("%d bytes received, want %d", got, size)
	}
	missing := make(map[uint32]bool)
	for first, end := range m.a.Missing() {
		if first >= end {
			m.t.Fatalf("empty range at %d", first)
		}
		for i := first; i < end; i++ {
			missing[i] = true
		}
	}
	for i := range m.total {
		if _, ok := m.chunks[i]; ok == missing[i] {
			m.t.Fatalf("chunk %d: arrived %v, missing %v", i, ok, missing[i])
		}
	}
}
