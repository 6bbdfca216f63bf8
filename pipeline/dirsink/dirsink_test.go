package dirsink_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

const blockSize = 64 << 10

// source is the content of a transfer.
type source struct {
	m      *pipeline.Manifest
	stream []byte
}

// file describes a file of a source; a path that ends in a slash is a
// directory.
type file struct {
	path string
	size int
}

// newSource makes a source of pseudo-random bytes.
func newSource(seed byte, files ...file) *source {
	rng := rand.NewChaCha8([32]byte{seed})
	s := &source{m: &pipeline.Manifest{ID: hex.EncodeToString(bytes.Repeat([]byte{seed}, 16)), BlockSize: blockSize}}
	when := time.Date(2024, 2, 29, 12, 30, 45, 0, time.UTC)
	for i, f := range files {
		e := pipeline.Entry{Path: f.path, Size: int64(f.size), Mode: 0o644, ModTime: when.Add(time.Duration(i) * time.Hour)}
		if last := len(f.path) - 1; f.path[last] == '/' {
			e.Path, e.Mode = f.path[:last], fs.ModeDir|0o755
		}
		s.m.Entries = append(s.m.Entries, e)
		s.m.Size += e.Size
	}
	s.stream = make([]byte, s.m.Size)
	rng.Read(s.stream)
	return s
}

// unknown returns the source of one file as one of unknown size.
func (s *source) unknown() *source {
	m := *s.m
	m.Entries = slices.Clone(m.Entries)
	m.Entries[0].Size, m.Size = -1, -1
	return &source{&m, s.stream}
}

func (s *source) blocks() uint32 { return uint32(s.m.Blocks(int64(len(s.stream)))) }

func (s *source) block(n uint32) []byte {
	lo := int(n) * blockSize
	return s.stream[lo:min(lo+blockSize, len(s.stream))]
}

func (s *source) hash(n uint32) pipeline.Hash {
	return pipeline.BlockHash(n, blockSize, s.block(n), s.blocks() == 1)
}

func (s *source) root() pipeline.Hash {
	var hashes []pipeline.Hash
	for n := range s.blocks() {
		hashes = append(hashes, s.hash(n))
	}
	return pipeline.RootHash(hashes)
}

// content returns the bytes of entry i.
func (s *source) content(i int) []byte {
	if s.m.Size < 0 {
		return s.stream
	}
	at := int64(0)
	for _, e := range s.m.Entries[:i] {
		at += e.Size
	}
	return s.stream[at : at+s.m.Entries[i].Size]
}

// write stores the given blocks.
func (s *source) write(t testing.TB, st pipeline.Store, blocks ...uint32) {
	t.Helper()
	for _, n := range blocks {
		if err := st.WriteBlock(n, s.block(n), s.hash(n)); err != nil {
			t.Fatalf("block %d: %v", n, err)
		}
	}
}

func (s *source) writeAll(t testing.TB, st pipeline.Store) {
	t.Helper()
	for n := range s.blocks() {
		s.write(t, st, n)
	}
}

func (s *source) commit(st pipeline.Store) (*pipeline.Receipt, error) {
	return st.Commit(context.Background(), int64(len(s.stream)), s.root())
}

// check compares all files below dir with the source.
func (s *source) check(t testing.TB, dir string) {
	t.Helper()
	for i, e := range s.m.Entries {
		name := filepath.Join(dir, filepath.FromSlash(e.Path))
		fi, err := os.Stat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !fi.ModTime().Equal(e.ModTime) {
			t.Errorf("%s: time %v, want %v", e.Path, fi.ModTime(), e.ModTime)
		}
		if fi.Mode().Perm() != e.Mode.Perm() {
			t.Errorf("%s: mode %v, want %v", e.Path, fi.Mode(), e.Mode)
		}
		if e.Mode.IsDir() {
			continue
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, s.content(i)) {
			t.Errorf("%s: content differs (%v)", e.Path, err)
		}
	}
}

func newSink(t testing.TB, dir string, o *dirsink.Options) *dirsink.Sink {
	t.Helper()
	s, err := dirsink.New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, s *dirsink.Sink, m *pipeline.Manifest) pipeline.Store {
	t.Helper()
	st, err := s.Open(t.Context(), m, false)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// held returns what the store holds, and fails if it is damaged.
func held(t testing.TB, st pipeline.Store) []uint32 {
	t.Helper()
	h, err := st.Held(t.Context())
	if err != nil || len(h.Damage) > 0 {
		t.Fatalf("damage %v, error %v", h.Damage, err)
	}
	return numbers(h)
}

func numbers(h pipeline.Held) (n []uint32) {
	for _, b := range h.Blocks {
		n = append(n, b.Block)
	}
	return n
}

// stateOf returns the state directory of a transfer.
func stateOf(dir string, m *pipeline.Manifest) string {
	return filepath.Join(dir, dirsink.StateDir, m.ID)
}

var mixed = []file{
	{"a/", 0}, {"a/empty", 0}, {"a/small", 100}, {"a/b/deep", 5000}, {"big.bin", 3*blockSize + 17},
	{"e1", 0}, {"e2", 0}, {"void/", 0}, {"last", 2 * blockSize},
}

func TestCommit(t *testing.T) {
	for name, s := range map[string]*source{
		"mixed":             newSource(1, mixed...),
		"one":               newSource(2, file{"one", 1 << 20}),
		"empty file":        newSource(3, file{"empty", 0}),
		"only directories":  newSource(4, file{"x/", 0}, file{"x/y/", 0}),
		"unknown size":      newSource(5, file{"stdin", 5*blockSize + 1}).unknown(),
		"unknown and empty": newSource(6, file{"stdin", 0}).unknown(),
		"unicode":           newSource(7, file{"Ünï cödé/日本語/📷 1.jpg", 10}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			sink := newSink(t, dir, nil)
			st := open(t, sink, s.m)
			if got := held(t, st); got != nil || st.Receipt() != nil {
				t.Fatalf("new transfer holds %v", got)
			}
			s.writeAll(t, st)
			if left := visible(t, dir); left != nil {
				t.Errorf("before commit: %v", left)
			}
			r, err := s.commit(st)
			if err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
			if r.Size != int64(len(s.stream)) || r.Root != s.root() {
				t.Errorf("receipt of %d bytes, root %v", r.Size, r.Root)
			}
			for _, f := range r.Files {
				if f.Path != f.Name {
					t.Errorf("%q committed as %q", f.Path, f.Name)
				}
			}
			again := open(t, sink, s.m)
			if again.Receipt() == nil || again.Receipt().Root != s.root() {
				t.Error("no receipt when opened again")
			}
			if err := again.Discard(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, dirsink.StateDir)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("state directory left behind: %v", err)
			}
		})
	}
}

// visible lists what is below dir without the state directory.
func visible(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == dirsink.StateDir {
			return fs.SkipDir
		}
		if p != dir {
			rel, _ := filepath.Rel(dir, p)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestResume(t *testing.T) {
	for name, s := range map[string]*source{
		"mixed":   newSource(1, mixed...),
		"unknown": newSource(2, file{"stdin", 5*blockSize + 1}).unknown(),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			sink := newSink(t, dir, nil)
			st := open(t, sink, s.m)
			held(t, st)
			last := s.blocks() - 1
			s.write(t, st, 0, 2, last)
			if err := st.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := st.Suspend(); err != nil {
				t.Fatal(err)
			}
			st = open(t, newSink(t, dir, nil), s.m)
			if got, want := held(t, st), []uint32{0, 2, last}; !slices.Equal(got, want) {
				t.Fatalf("held %v, want %v", got, want)
			}
			s.writeAll(t, st)
			if _, err := s.commit(st); err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
		})
	}
}
