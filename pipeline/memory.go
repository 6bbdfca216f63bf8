package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// MemorySink keeps what it receives in memory: for tests, and for
// applications that want content instead of files. It may be used by several
// servers, one after the other or at once. The zero value is ready to use and
// has no limit.
type MemorySink struct {
	// MaxBytes bounds the content held, finished or not; more is refused with
	// [ErrNoSpace]. 0 means no bound.
	MaxBytes int64

	mu    sync.Mutex
	kept  map[string]*memoryStore // by transfer
	files map[string][]byte       // by name
	done  map[string]*Receipt     // by transfer
	bytes int64
}

// memoryStore is a transfer in a MemorySink.
type memoryStore struct {
	sink     *MemorySink
	manifest *Manifest
	receipt  *Receipt

	mu     sync.Mutex
	blocks map[uint32][]byte
	hashes map[uint32]Hash
}

// File returns the content of a committed file, which must not be changed.
func (s *MemorySink) File(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[name]
	return b, ok
}

// Names returns the names of the committed files, sorted.
func (s *MemorySink) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.files))
}

// Remove forgets a committed file.
func (s *MemorySink) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= int64(len(s.files[name]))
	delete(s.files, name)
}

// Open implements [Sink]. Names that are taken are refused with [ErrExists].
func (s *MemorySink) Open(_ context.Context, m *Manifest, restart bool) (Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept, s.files, s.done = make(map[string]*memoryStore), make(map[string][]byte), make(map[string]*Receipt)
	}
	kept := s.kept[m.ID]
	if kept != nil && restart {
		s.forget(kept)
		kept = nil
	}
	if kept != nil && !kept.manifest.sameSource(m) {
		if s.done[m.ID] == nil {
			return nil, ErrSourceChanged
		}
		s.forget(kept)
		kept = nil
	}
	if kept == nil {
		kept = &memoryStore{sink: s, manifest: m, blocks: make(map[uint32][]byte), hashes: make(map[uint32]Hash)}
	}
	if r := s.done[m.ID]; r != nil && s.holds(r) {
		return &memoryStore{sink: s, manifest: m, receipt: r}, nil
	}
	for _, e := range m.Entries {
		if _, taken := s.files[e.Path]; taken {
			return nil, &EntryError{Path: e.Path, Err: ErrExists}
		}
	}
	if s.MaxBytes > 0 && s.bytes+m.Size > s.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes of %d are in use", ErrNoSpace, s.bytes, s.MaxBytes)
	}
	s.kept[m.ID] = kept
	return kept, nil
}

// holds reports whether all files of a receipt are still there.
func (s *MemorySink) holds(r *Receipt) bool {
	for _, f := range r.Files {
		if _, ok := s.files[f.Name]; !ok {
			return false
		}
	}
	return true
}

// forget drops a transfer. s.mu is held.
func (s *MemorySink) forget(m *memoryStore) {
	for _, b := range m.blocks {
		s.bytes -= int64(len(b))
	}
	delete(s.kept, m.manifest.ID)
	delete(s.done, m.manifest.ID)
}

func (m *memoryStore) Receipt() *Receipt          { return m.receipt }
func (m *memoryStore) Sync(context.Context) error { return nil }
func (m *memoryStore) Suspend() error             { return nil }

func (m *memoryStore) Held(context.Context) (h Held, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(m.blocks)) {
		if VerifyBlock(n, m.manifest.BlockSize, m.blocks[n], m.hashes[n]) {
			h.Blocks = append(h.Blocks, BlockState{Block: n, Size: len(m.blocks[n]), Hash: m.hashes[n]})
		} else {
			h.Damage = append(h.Damage, fmt.Errorf("pipeline: block %d in memory does not have its hash", n))
		}
	}
	return h, nil
}

func (m *memoryStore) WriteBlock(n uint32, data []byte, hash Hash) error {
	m.mu.Lock()
	old := len(m.blocks[n])
	m.mu.Unlock()
	s := m.sink
	s.mu.Lock()
	grown := int64(len(data) - old)
	if s.MaxBytes > 0 && s.bytes+grown > s.MaxBytes {
		s.mu.Unlock()
		return fmt.Errorf("%w: %d bytes of %d are in use", ErrNoSpace, s.bytes, s.MaxBytes)
	}
	s.bytes += grown
	s.mu.Unlock()
	data = bytes.Clone(data)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks[n], m.hashes[n] = data, hash
	return nil
}

func (m *memoryStore) Commit(_ context.Context, size int64, root Hash) (*Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	whole := make([]byte, 0, size)
	for n := range uint32(m.manifest.Blocks(size)) {
		whole = append(whole, m.blocks[n]...)
	}
	s := m.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Receipt{Size: size, Root: root}
	for _, e := range m.manifest.Entries {
		if _, taken := s.files[e.Path]; taken {
			return nil, &EntryError{Path: e.Path, Err: ErrExists}
		}
	}
	for _, e := range m.manifest.Entries {
		if e.Mode.IsDir() {
			continue
		}
		n := e.Size
		if n < 0 {
			n = size
		}
		s.files[e.Path], whole = whole[:n:n], whole[n:]
		r.Files = append(r.Files, Committed{Path: e.Path, Name: e.Path})
	}
	clear(m.blocks)
	s.done[m.manifest.ID] = r
	return r, nil
}

func (m *memoryStore) Discard() error {
	s := m.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.forget(m)
	return nil
}
