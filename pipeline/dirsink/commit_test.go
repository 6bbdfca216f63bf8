package dirsink_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

// ready returns a store with all blocks of s written.
func ready(t *testing.T, dir string, s *source, o *dirsink.Options) pipeline.Store {
	t.Helper()
	st := open(t, newSink(t, dir, o), s.m)
	held(t, st)
	s.writeAll(t, st)
	return st
}

func names(r *pipeline.Receipt) (n []string) {
	for _, f := range r.Files {
		n = append(n, f.Name)
	}
	return n
}

func TestRefuse(t *testing.T) {
	s := newSource(1, file{"d/a", 10}, file{"d/b", 10}, file{"c", 10})
	for name, existing := range map[string]string{"file": "d/b", "directory": "c/x", "file as directory": "d"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, existing, "old")
			_, err := newSink(t, dir, nil).Open(t.Context(), s.m, false)
			if !errors.Is(err, pipeline.ErrExists) || !errors.Is(err, fs.ErrExist) {
				t.Fatalf("error %v", err)
			}
			if e, ok := errors.AsType[*pipeline.EntryError](err); !ok || !strings.HasPrefix(existing, e.Path) {
				t.Errorf("error %v does not name the entry", err)
			}
			if _, err := os.Stat(filepath.Join(dir, dirsink.StateDir)); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the refused transfer left its state behind")
			}
		})
	}
	t.Run("taken before commit", func(t *testing.T) {
		dir := t.TempDir()
		st := ready(t, dir, s, nil)
		put(t, dir, "d/b", "old")
		_, err := s.commit(st)
		if e, ok := errors.AsType[*pipeline.EntryError](err); !ok || e.Path != "d/b" || !errors.Is(err, pipeline.ErrExists) {
			t.Fatalf("error %v", err)
		}
		if got := visible(t, dir); !slices.Equal(got, []string{"d", "d/b"}) {
			t.Errorf("files placed although one is taken: %v", got)
		}
		if err := st.Suspend(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "d/b")); err != nil {
			t.Fatal(err)
		}
		st = open(t, newSink(t, dir, nil), s.m)
		if got := held(t, st); len(got) != int(s.blocks()) {
			t.Errorf("held %v", got)
		}
		if _, err := s.commit(st); err != nil {
			t.Fatal(err)
		}
		s.check(t, dir)
	})
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.txt", "old")
	put(t, dir, "d/b.tar.gz", "old")
	put(t, dir, "d/b.tar (1).gz", "old")
	put(t, dir, ".hidden", "old")
	put(t, dir, "README", "old")
	put(t, dir, "dir/x", "a directory")
	s := newSource(1, file{"a.txt", 10}, file{"a (1).txt", 20}, file{"d/b.tar.gz", 10}, file{".hidden", 5}, file{"readme", 5}, file{"dir", 5}, file{"new", 5})
	st := ready(t, dir, s, &dirsink.Options{Overwrite: dirsink.Rename})
	r, err := s.commit(st)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a (2).txt", "a (1).txt", "d/b.tar (2).gz", ".hidden (1)", "readme (1)", "dir (1)", "new"}
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for i, name := range names(r) {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(s.content(i)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"a.txt", "d/b.tar.gz", "d/b.tar (1).gz", ".hidden", "README"} {
		if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != "old" {
			t.Errorf("%s was changed", name)
		}
	}
	again := open(t, newSink(t, dir, &dirsink.Options{Overwrite: dirsink.Rename}), s.m)
	if r := again.Receipt(); r == nil || !slices.Equal(names(r), want) {
		t.Errorf("receipt %v", r)
	}
}

// TestRenameLong renames a name that has no room for a number.
func TestRenameLong(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("é", 125) + ".txt"
	put(t, dir, long, "old")
	s := newSource(1, file{long, 10})
	r, err := s.commit(ready(t, dir, s, &dirsink.Options{Overwrite: dirsink.Rename}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(r)[0], strings.Repeat("é", 123)+" (1).txt"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "d/a", "old")
	put(t, dir, "d/other", "other")
	s := newSource(1, file{"d/a", 10}, file{"d/b", 10})
	sink := newSink(t, dir, &dirsink.Options{Overwrite: dirsink.Replace})
	st := open(t, sink, s.m)
	held(t, st)
	s.writeAll(t, st)
	if got, _ := os.ReadFile(filepath.Join(dir, "d/a")); string(got) != "old" {
		t.Errorf("replaced before the commit: %q", got)
	}
	if _, err := s.commit(st); err != nil {
		t.Fatal(err)
	}
	s.check(t, dir)
	if got, _ := os.ReadFile(filepath.Join(dir, "d/other")); string(got) != "other" {
		t.Errorf("another file became %q", got)
	}
	put(t, dir, "e/x", "a directory")
	if _, err := sink.Open(t.Context(), newSource(2, file{"e", 10}).m, false); !errors.Is(err, pipeline.ErrExists) {
		t.Errorf("a directory replaced: %v", err)
	}
}

// TestRace commits many transfers of one name at once: under the policy Refuse
// one wins, under Rename all do, and no file is ever replaced.
func TestRace(t *testing.T) {
	const racers = 8
	for policy, winners := range map[dirsink.Overwrite]int{dirsink.Refuse: 1, dirsink.Rename: racers} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			dir := t.TempDir()
			sources := make([]*source, racers)
			stores := make([]pipeline.Store, racers)
			for i := range racers {
				sources[i] = newSource(byte(i), file{"d/name", 100 + i})
				stores[i] = ready(t, dir, sources[i], &dirsink.Options{Overwrite: policy})
			}
			var wg sync.WaitGroup
			receipts := make([]*pipeline.Receipt, racers)
			errs := make([]error, racers)
			for i := range racers {
				wg.Go(func() { receipts[i], errs[i] = sources[i].commit(stores[i]) })
			}
			wg.Wait()
			won := 0
			for i := range racers {
				if errs[i] != nil {
					if !errors.Is(errs[i], pipeline.ErrExists) {
						t.Error(errs[i])
					}
					continue
				}
				won++
				got, err := os.ReadFile(filepath.Join(dir, receipts[i].Files[0].Name))
				if err != nil || string(got) != string(sources[i].content(0)) {
					t.Errorf("%s is not what was committed there: %v", receipts[i].Files[0].Name, err)
				}
			}
			if won != winners {
				t.Errorf("%d won, want %d", won, winners)
			}
		})
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct{ sent, mask, want fs.FileMode }{
		{0o644, 0, 0o644}, {0o755, 0, 0o755}, {0o400, 0, 0o400}, {0o444, 0, 0o444}, {0, 0, 0o644},
		{0o777, 0, 0o755}, {0o666, 0o700, 0o600}, {0o755 | fs.ModeSetuid, 0, 0o755}, {0o777, 0o555, 0o555},
	} {
		t.Run(fmt.Sprintf("%o mask %o", uint32(c.sent), c.mask), func(t *testing.T) {
			dir := t.TempDir()
			s := newSource(1, file{"d/", 0}, file{"d/f", 100}, file{"d/empty", 0})
			for i := range s.m.Entries[1:] {
				s.m.Entries[i+1].Mode = c.sent
			}
			if _, err := s.commit(ready(t, dir, s, &dirsink.Options{Mask: c.mask})); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"d/f", "d/empty"} {
				if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode() != c.want {
					t.Errorf("%s: mode %v, want %v (%v)", name, fi.Mode(), c.want, err)
				}
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		s := newSource(1, file{"d/", 0}, file{"d/f", 100}, file{"d/e/", 0})
		s.m.Entries[0].Mode = fs.ModeDir | 0o555
		s.m.Entries[2].Mode = fs.ModeDir | 0o700
		if _, err := s.commit(ready(t, dir, s, nil)); err != nil {
			t.Fatal(err)
		}
		s.check(t, dir)
		os.Chmod(filepath.Join(dir, "d"), 0o755)
	})
	t.Run("existing directory stays as it is", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "d"), 0o711); err != nil {
			t.Fatal(err)
		}
		s := newSource(1, file{"d/", 0}, file{"d/f", 100})
		if _, err := s.commit(ready(t, dir, s, nil)); err != nil {
			t.Fatal(err)
		}
		if fi, _ := os.Stat(filepath.Join(dir, "d")); fi.Mode().Perm() != 0o711 {
			t.Errorf("mode %v", fi.Mode())
		}
	})
}

// TestReceipt opens a finished transfer again, with its files changed.
func TestReceipt(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed": os.Remove,
		"grown":   func(p string) error { return os.Truncate(p, 1000) },
		"renamed": func(p string) error { return os.Rename(p, p+"2") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newSource(1, file{"a", 100}, file{"b", 100})
			if _, err := s.commit(ready(t, dir, s, nil)); err != nil {
				t.Fatal(err)
			}
			if err := change(filepath.Join(dir, "b")); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "a")); err != nil {
				t.Fatal(err)
			}
			st, err := newSink(t, dir, nil).Open(t.Context(), s.m, false)
			if name == "grown" {
				if !errors.Is(err, pipeline.ErrExists) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || st.Receipt() != nil {
				t.Fatalf("receipt although a file is gone, %v", err)
			}
			held(t, st)
			s.writeAll(t, st)
			if _, err := s.commit(st); err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
		})
	}
}

func TestWrongBlocks(t *testing.T) {
	s := newSource(1, file{"a", 2*blockSize + 5})
	dir := t.TempDir()
	st := open(t, newSink(t, dir, nil), s.m)
	held(t, st)
	for name, c := range map[string]struct {
		n    uint32
		size int
	}{"short": {0, blockSize - 1}, "long": {0, blockSize + 1}, "last long": {2, 6}, "last short": {2, 4}, "empty": {0, 0}, "beyond": {3, 5}, "far beyond": {1<<32 - 1, 5}} {
		if err := st.WriteBlock(c.n, make([]byte, c.size), pipeline.Hash{}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := st.Commit(t.Context(), 5, pipeline.Hash{}); err == nil {
		t.Error("a commit of another size succeeded")
	}
	if _, err := s.commit(st); err == nil || len(visible(t, dir)) > 0 {
		t.Error("a commit without data succeeded")
	}
}
