package dirsink_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

// edit changes a file in place.
func edit(t *testing.T, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamage damages what is kept of a transfer of six blocks in two files,
// "a" with entry number 0 and "b" with number 1, which meet in block 3.
func TestDamage(t *testing.T) {
	const header, record = 68, 44
	s := newSource(1, file{"a", 3*blockSize + 100}, file{"b", 2*blockSize + 100})
	foreign := newSource(2, file{"a", 3*blockSize + 100}, file{"b", 2*blockSize + 100})
	for name, c := range map[string]struct {
		harm   func(t *testing.T, state string)
		lost   []uint32
		damage string
	}{
		"nothing": {func(*testing.T, string) {}, nil, ""},
		"flipped bit": {func(t *testing.T, state string) {
			edit(t, state+"/data/0", func(b []byte) []byte { b[blockSize+5] ^= 1; return b })
		}, []uint32{1}, `block 1 ("a" from byte 65536 on) reads back differently`},
		"flipped bit where files meet": {func(t *testing.T, state string) {
			edit(t, state+"/data/1", func(b []byte) []byte { b[0] ^= 1; return b })
		}, []uint32{3}, "block 3"},
		"cut data": {func(t *testing.T, state string) {
			if err := os.Truncate(state+"/data/0", 2*blockSize+10); err != nil {
				t.Fatal(err)
			}
		}, []uint32{2, 3}, `block 2 ("a" from byte 131072 on) is cut`},
		"removed data": {func(t *testing.T, state string) {
			if err := os.Remove(state + "/data/1"); err != nil {
				t.Fatal(err)
			}
		}, []uint32{3, 4, 5}, `("b" from byte`},
		"cut journal": {func(t *testing.T, state string) {
			if err := os.Truncate(state+"/journal", header+4*record+1); err != nil {
				t.Fatal(err)
			}
		}, []uint32{4, 5}, "journal is cut after record 4"},
		"flipped bit in the journal": {func(t *testing.T, state string) {
			edit(t, state+"/journal", func(b []byte) []byte { b[header+record*2+9] ^= 1; return b })
		}, []uint32{2}, "1 of 6 records"},
		"damaged header": {func(t *testing.T, state string) {
			edit(t, state+"/journal", func(b []byte) []byte { b[20] ^= 1; return b })
		}, []uint32{0, 1, 2, 3, 4, 5}, "header is damaged"},
		"emptied journal": {func(t *testing.T, state string) {
			edit(t, state+"/journal", func([]byte) []byte { return nil })
		}, []uint32{0, 1, 2, 3, 4, 5}, "header is damaged"},
		"removed journal": {func(t *testing.T, state string) {
			if err := os.Remove(state + "/journal"); err != nil {
				t.Fatal(err)
			}
		}, []uint32{0, 1, 2, 3, 4, 5}, "journal is missing"},
		"journal of another transfer": {func(t *testing.T, state string) {
			dir := t.TempDir()
			suspended(t, dir, foreign)
			edit(t, state+"/journal", func([]byte) []byte {
				b, err := os.ReadFile(filepath.Join(stateOf(dir, foreign.m), "journal"))
				if err != nil {
					t.Fatal(err)
				}
				return b
			})
		}, []uint32{0, 1, 2, 3, 4, 5}, "another transfer"},
		"data of another transfer": {func(t *testing.T, state string) {
			edit(t, state+"/data/0", func([]byte) []byte { return foreign.content(0) })
		}, []uint32{0, 1, 2, 3}, "reads back differently"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			suspended(t, dir, s)
			c.harm(t, stateOf(dir, s.m))
			st := open(t, newSink(t, dir, nil), s.m)
			h, err := st.Held(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var want []uint32
			for n := range s.blocks() {
				if !slices.Contains(c.lost, n) {
					want = append(want, n)
				}
			}
			if got := numbers(h); !slices.Equal(got, want) {
				t.Errorf("held %v, want %v", got, want)
			}
			for _, b := range h.Blocks {
				if b.Hash != s.hash(b.Block) {
					t.Errorf("block %d held with another hash", b.Block)
				}
			}
			if err := errors.Join(h.Damage...); c.damage == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.damage) {
				t.Errorf("damage %v, want %q", err, c.damage)
			}
			s.write(t, st, c.lost...)
			if _, err := s.commit(st); err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
		})
	}
}

// suspended leaves s in dir with all blocks written.
func suspended(t testing.TB, dir string, s *source) {
	t.Helper()
	st := open(t, newSink(t, dir, nil), s.m)
	held(t, st)
	s.writeAll(t, st)
	if err := st.Suspend(); err != nil {
		t.Fatal(err)
	}
}

// TestAppendAfterDamage writes behind a cut journal and opens it again.
func TestAppendAfterDamage(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"a", 6 * blockSize})
	suspended(t, dir, s)
	journal := filepath.Join(stateOf(dir, s.m), "journal")
	fi, err := os.Stat(journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(journal, fi.Size()-7); err != nil {
		t.Fatal(err)
	}
	st := open(t, newSink(t, dir, nil), s.m)
	if h, err := st.Held(t.Context()); err != nil || len(h.Blocks) != 5 {
		t.Fatalf("held %v, %v", h, err)
	}
	s.write(t, st, 5)
	st.Suspend()
	st = open(t, newSink(t, dir, nil), s.m)
	if got := held(t, st); len(got) != 6 {
		t.Errorf("held %v", got)
	}
}

func TestRewrittenBlock(t *testing.T) {
	dir := t.TempDir()
	s, other := newSource(1, file{"a", 2 * blockSize}), newSource(2, file{"a", 2 * blockSize})
	st := open(t, newSink(t, dir, nil), s.m)
	held(t, st)
	s.writeAll(t, st)
	if err := st.WriteBlock(1, other.block(1), other.hash(1)); err != nil {
		t.Fatal(err)
	}
	st.Suspend()
	st = open(t, newSink(t, dir, nil), s.m)
	h, err := st.Held(t.Context())
	if err != nil || len(h.Damage) > 0 || len(h.Blocks) != 2 || h.Blocks[1].Hash != other.hash(1) {
		t.Errorf("held %v, %v", h, err)
	}
}

func TestSourceChanged(t *testing.T) {
	for name, change := range map[string]func(e *pipeline.Entry){
		"path": func(e *pipeline.Entry) { e.Path = "b" },
		"size": func(e *pipeline.Entry) { e.Size++ },
		"time": func(e *pipeline.Entry) { e.ModTime = e.ModTime.Add(time.Nanosecond) },
		"mode": func(e *pipeline.Entry) { e.Mode = 0o600 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newSource(1, file{"a", 3 * blockSize})
			suspended(t, dir, s)
			changed := newSource(1, file{"a", 3 * blockSize}).m
			change(&changed.Entries[0])
			changed.Size = changed.Entries[0].Size
			sink := newSink(t, dir, nil)
			st, err := sink.Open(t.Context(), changed, false)
			if name == "mode" {
				if err != nil || len(held(t, st)) != 3 {
					t.Fatalf("only the mode changed: %v", err)
				}
				return
			}
			if !errors.Is(err, pipeline.ErrSourceChanged) {
				t.Fatalf("error %v", err)
			}
			st = open(t, sink, s.m)
			if got := held(t, st); len(got) != 3 {
				t.Errorf("after the refusal %v are held", got)
			}
			st.Suspend()
			st, err = sink.Open(t.Context(), changed, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := held(t, st); got != nil {
				t.Errorf("after the restart %v are held", got)
			}
		})
	}
}

func TestHeldCancelled(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"a", 50 * blockSize})
	suspended(t, dir, s)
	st := open(t, newSink(t, dir, nil), s.m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.Held(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"a", 10})
	st := open(t, newSink(t, dir, nil), s.m)
	if _, err := newSink(t, dir, nil).Open(t.Context(), s.m, true); !errors.Is(err, dirsink.ErrBusy) || pipeline.CodeOf(err) != "busy" {
		t.Errorf("error %v, want ErrBusy", err)
	}
	if err := st.Suspend(); err != nil {
		t.Fatal(err)
	}
	st = open(t, newSink(t, dir, nil), s.m)
	if err := st.Discard(); err != nil {
		t.Fatal(err)
	}
	open(t, newSink(t, dir, nil), s.m)
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	sink := newSink(t, dir, nil)
	if got, err := sink.Clean(t.Context(), 0); err != nil || got != nil {
		t.Errorf("empty directory: %v, %v", got, err)
	}
	old, fresh, busy, done := newSource(1, file{"a", blockSize}), newSource(2, file{"b", 10}), newSource(3, file{"c", 10}), newSource(4, file{"d", 10})
	suspended(t, dir, old)
	suspended(t, dir, fresh)
	st := open(t, sink, done.m)
	held(t, st)
	done.writeAll(t, st)
	if _, err := done.commit(st); err != nil {
		t.Fatal(err)
	}
	open(t, sink, busy.m)
	put(t, dir, dirsink.StateDir+"/notes/mine", "not a transfer")
	past := time.Now().Add(-48 * time.Hour)
	for _, s := range []*source{old, busy, done} {
		state := stateOf(dir, s.m)
		for _, name := range []string{"journal", "receipt", "data/0"} {
			if err := os.Chtimes(filepath.Join(state, name), past, past); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	got, err := sink.Clean(t.Context(), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range got {
		ids = append(ids, c.ID)
		if c.Age < 47*time.Hour || c.ID == old.m.ID && c.Bytes < blockSize {
			t.Errorf("cleaned %+v", c)
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{old.m.ID, done.m.ID}) {
		t.Errorf("cleaned %v", ids)
	}
	if got, err := sink.Clean(t.Context(), 24*time.Hour); err != nil || got != nil {
		t.Errorf("again: %v, %v", got, err)
	}
	done.check(t, dir)
	if _, err := os.Stat(filepath.Join(dir, dirsink.StateDir, "notes", "mine")); err != nil {
		t.Error(err)
	}
	if got := held(t, open(t, sink, fresh.m)); len(got) != 1 {
		t.Errorf("the fresh one holds %v", got)
	}
}
