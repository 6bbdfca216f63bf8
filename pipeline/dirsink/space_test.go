package dirsink_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

func TestLimits(t *testing.T) {
	three := newSource(1, file{"a", 100}, file{"b", 100}, file{"d/", 0}).m
	huge := newSource(2, file{"a", 0}).m
	huge.Entries[0].Size, huge.Size = 1<<60, 1<<60
	for name, c := range map[string]struct {
		m    *pipeline.Manifest
		o    dirsink.Options
		want error
	}{
		"bytes":          {three, dirsink.Options{MaxBytes: 199}, pipeline.ErrLimit},
		"bytes, just":    {three, dirsink.Options{MaxBytes: 200}, nil},
		"files":          {three, dirsink.Options{MaxFiles: 2}, pipeline.ErrLimit},
		"files, just":    {three, dirsink.Options{MaxFiles: 3}, nil},
		"quota":          {three, dirsink.Options{Quota: 199}, pipeline.ErrQuota},
		"disk":           {huge, dirsink.Options{}, pipeline.ErrNoSpace},
		"free space":     {three, dirsink.Options{MinFree: 1 << 60}, pipeline.ErrNoSpace},
		"id":             {&pipeline.Manifest{ID: "../../../../../../../../../../x1", BlockSize: blockSize}, dirsink.Options{}, pipeline.ErrName},
		"id, upper case": {&pipeline.Manifest{ID: "0123456789ABCDEF0123456789ABCDEF", BlockSize: blockSize}, dirsink.Options{}, pipeline.ErrName},
		"no block size":  {&pipeline.Manifest{ID: three.ID}, dirsink.Options{}, pipeline.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			st, err := newSink(t, dir, &c.o).Open(t.Context(), c.m, false)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if c.want == nil {
				st.Suspend()
				return
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("the refused transfer left %v", left)
			}
		})
	}
}

// TestLimitsOfUnknownSize lets a stream of unknown size run into a limit and
// continues it when the limit is gone.
func TestLimitsOfUnknownSize(t *testing.T) {
	for name, c := range map[string]struct {
		o    dirsink.Options
		want error
	}{
		"bytes": {dirsink.Options{MaxBytes: 3 * blockSize}, pipeline.ErrLimit},
		"quota": {dirsink.Options{Quota: 3*blockSize + 3}, pipeline.ErrQuota},
		"free":  {dirsink.Options{MinFree: 1 << 60}, pipeline.ErrNoSpace},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "other", "old")
			s := newSource(1, file{"stdin", 5 * blockSize}).unknown()
			kept := 3
			if c.o.MinFree > 0 {
				kept = 0
				suspended(t, dir, newSource(2, file{"x", 1})) // lets Open pass
			}
			o := c.o
			o.MinFree = 0
			st := open(t, newSink(t, dir, &o), s.m)
			held(t, st)
			if kept == 0 {
				st.Suspend()
				_, err := newSink(t, dir, &c.o).Open(t.Context(), s.m, false)
				if !errors.Is(err, c.want) {
					t.Fatalf("error %v, want %v", err, c.want)
				}
			} else {
				s.write(t, st, 0, 1, 2)
				if err := st.WriteBlock(3, s.block(3), s.hash(3)); !errors.Is(err, c.want) {
					t.Fatalf("error %v, want %v", err, c.want)
				}
				s.write(t, st, 1) // what is there may be written again
				st.Suspend()
			}
			st = open(t, newSink(t, dir, nil), s.m)
			if got := held(t, st); len(got) != kept {
				t.Errorf("held %v", got)
			}
			s.writeAll(t, st)
			if _, err := s.commit(st); err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
		})
	}
}

// TestQuota counts what is there, open transfers and suspended ones.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "d/old", string(make([]byte, 1000)))
	sink := newSink(t, dir, &dirsink.Options{Quota: 1000 + 3000})
	a, b := newSource(1, file{"a", 2000}), newSource(2, file{"b", 2000})
	st := open(t, sink, a.m)
	if _, err := sink.Open(t.Context(), b.m, false); !errors.Is(err, pipeline.ErrQuota) {
		t.Fatalf("error %v", err)
	}
	held(t, st)
	a.writeAll(t, st)
	st.Suspend()
	if _, err := sink.Open(t.Context(), b.m, false); !errors.Is(err, pipeline.ErrQuota) {
		t.Fatalf("error %v", err)
	}
	st = open(t, sink, a.m) // is not counted twice
	if got := held(t, st); len(got) != 1 {
		t.Errorf("held %v", got)
	}
	if _, err := a.commit(st); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "d/old")); err != nil {
		t.Fatal(err)
	}
	// The receipt of a counts too.
	if _, err := sink.Open(t.Context(), b.m, false); !errors.Is(err, pipeline.ErrQuota) {
		t.Fatalf("error %v", err)
	}
	if err := open(t, sink, a.m).Discard(); err != nil {
		t.Fatal(err)
	}
	open(t, sink, newSource(3, file{"c", 1900}).m)
}

// TestZeros receives a large file of zeros: they cost no storage.
func TestZeros(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"zeros", 8 << 20}, file{"x", 100})
	clear(s.stream[:8<<20])
	s.stream[3<<20] = 1
	if _, err := s.commit(ready(t, dir, s, nil)); err != nil {
		t.Fatal(err)
	}
	s.check(t, dir)
	checkSparse(t, filepath.Join(dir, "zeros"), 1<<20)
}

// TestConcurrentBlocks writes blocks from many goroutines while syncing.
func TestConcurrentBlocks(t *testing.T) {
	dir := t.TempDir()
	var files []file
	for i := range 200 {
		files = append(files, file{string(rune('a'+i%26)) + "/" + string(rune('가'+i)), 3000 * (i % 60)})
	}
	s := newSource(1, files...)
	st := open(t, newSink(t, dir, nil), s.m)
	held(t, st)
	work, done := make(chan uint32), make(chan error)
	for range 8 {
		go func() {
			var errs error
			for n := range work {
				errs = errors.Join(errs, st.WriteBlock(n, s.block(n), s.hash(n)))
			}
			done <- errs
		}()
	}
	synced := make(chan error)
	go func() {
		var errs error
		for range 5 {
			errs = errors.Join(errs, st.Sync(t.Context()))
		}
		synced <- errs
	}()
	for n := range s.blocks() {
		work <- n
	}
	close(work)
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := <-synced; err != nil {
		t.Error(err)
	}
	if _, err := s.commit(st); err != nil {
		t.Fatal(err)
	}
	s.check(t, dir)
}

// TestJournalIsSmall bounds what the journal costs on disk.
func TestJournalIsSmall(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"a", 100 * blockSize})
	suspended(t, dir, s)
	b, err := os.ReadFile(filepath.Join(stateOf(dir, s.m), "journal"))
	if err != nil || len(b) > 100*44+68 {
		t.Errorf("journal of %d bytes for 100 blocks, %v", len(b), err)
	}
	if bytes.Contains(b, s.stream[:16]) {
		t.Error("content in the journal")
	}
}
