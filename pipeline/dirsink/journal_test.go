package dirsink

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/pipeline"
)

// sampleJournal returns a journal of n blocks and what it lists.
func sampleJournal(id byte, n int) ([]byte, map[record]bool) {
	h := journalHeader{id: [16]byte{id}, digest: pipeline.Hash{id}, nonce: [8]byte{id}}
	b := h.encode()
	written := make(map[record]bool)
	for i := range n {
		r := record{block: uint32(i), length: 1 << 20, hash: pipeline.BlockHash(uint32(i), 1<<20, []byte{id, byte(i)}, false)}
		e := r.encode(h.seed())
		b = append(b, e[:]...)
		written[r] = true
	}
	return b, written
}

// parse reads a journal as a store does.
func parse(b []byte) (found []record, damage []error, err error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, nil, err
	}
	damage, err = readRecords(bytes.NewReader(b[headerSize:]), h.seed(), func(r record) { found = append(found, r) })
	return found, damage, err
}

func TestJournal(t *testing.T) {
	whole, written := sampleJournal(1, 10)
	other, _ := sampleJournal(2, 10)
	at := func(n int) int { return headerSize + n*recordSize }
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		found  int
		damage string
		err    error
	}{
		"whole":           {func(b []byte) []byte { return b }, 10, "", nil},
		"no records":      {func(b []byte) []byte { return b[:at(0)] }, 0, "", nil},
		"cut":             {func(b []byte) []byte { return b[:at(7)+5] }, 7, "cut after record 7", nil},
		"one byte short":  {func(b []byte) []byte { return b[:len(b)-1] }, 9, "cut after record 9", nil},
		"bit in a block":  {func(b []byte) []byte { b[at(3)] ^= 1; return b }, 9, "1 of 10 records are damaged, the first is record 3", nil},
		"bit in a hash":   {func(b []byte) []byte { b[at(3)+20] ^= 0x80; return b }, 9, "1 of 10", nil},
		"zeros":           {func(b []byte) []byte { clear(b[at(2):at(5)]); return b }, 7, "3 of 10", nil},
		"zeros at end":    {func(b []byte) []byte { return append(b, make([]byte, 3*recordSize)...) }, 10, "3 of 13", nil},
		"shifted":         {func(b []byte) []byte { return append(b[:at(4):at(4)], append([]byte{0}, b[at(4):]...)...) }, 4, "6 of 10", nil},
		"foreign records": {func(b []byte) []byte { return append(b, other[at(0):]...) }, 10, "10 of 20", nil},
		"doubled records": {func(b []byte) []byte { return append(b, b[at(0):]...) }, 20, "", nil},
		"empty":           {func([]byte) []byte { return nil }, 0, "", errNoJournal},
		"cut header":      {func(b []byte) []byte { return b[:headerSize-1] }, 0, "", errNoJournal},
		"bit in header":   {func(b []byte) []byte { b[30] ^= 4; return b }, 0, "", errNoJournal},
		"other magic":     {func(b []byte) []byte { b[7]++; return b }, 0, "", errNoJournal},
	} {
		t.Run(name, func(t *testing.T) {
			found, damage, err := parse(c.change(bytes.Clone(whole)))
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if len(found) != c.found {
				t.Errorf("%d records, want %d", len(found), c.found)
			}
			if text := errors.Join(damage...); c.damage == "" != (text == nil) || text != nil && !strings.Contains(text.Error(), c.damage) {
				t.Errorf("damage %v, want %q", text, c.damage)
			}
			for _, r := range found {
				if !written[r] {
					t.Errorf("invented %v", r)
				}
			}
		})
	}
}

func TestJournalReadError(t *testing.T) {
	broken := io.MultiReader(bytes.NewReader(make([]byte, 10)), brokenReader{})
	if _, err := readRecords(broken, 0, func(record) {}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzJournal damages a journal: no panic, and no record that was not written.
func FuzzJournal(f *testing.F) {
	whole, written := sampleJournal(1, 8)
	foreign, _ := sampleJournal(2, 8)
	f.Add(uint16(0), uint16(0), []byte{})
	f.Add(uint16(headerSize+3), uint16(0), []byte{1})
	f.Add(uint16(headerSize+recordSize), uint16(recordSize), foreign[headerSize:headerSize+recordSize])
	f.Add(uint16(headerSize+5), uint16(1000), []byte{})
	f.Add(uint16(0), uint16(len(whole)), foreign)
	f.Fuzz(func(t *testing.T, at, remove uint16, insert []byte) {
		lo := min(int(at), len(whole))
		hi := min(lo+int(remove), len(whole))
		b := append(append(bytes.Clone(whole[:lo]), insert...), whole[hi:]...)
		h, err := decodeHeader(b)
		if err != nil || h.id != [16]byte{1} {
			return // another journal, which a store does not use
		}
		found, _, err := parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			if !written[r] {
				t.Fatalf("invented %v", r)
			}
		}
	})
}

// FuzzName checks what holds for every name that is allowed, whatever the
// rules say in detail.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a", "../x", "a/b", `C:\x`, "CON", ".ferry", "é", "\u202e", "a//b", ".", "x\x00", "ａ", "a:b", "\u2025"} {
		f.Add(s)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, p string) {
		_, portable := PortableNames.check(p)
		_, local := LocalNames.check(p)
		if portable && !local {
			t.Fatalf("%q is portable and yet not allowed here", p)
		}
		if !local {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(p)) || !utf8.ValidString(p) || len(p) > maxPath {
			t.Fatalf("%q is allowed", p)
		}
		joined := filepath.Join(root, filepath.FromSlash(p))
		if rel, err := filepath.Rel(root, joined); err != nil || filepath.ToSlash(rel) != p {
			t.Fatalf("%q becomes %q", p, rel)
		}
		if strings.ContainsAny(p, "\x00\\\r\n\x1b\u202e\u2066") {
			t.Fatalf("%q is allowed", p)
		}
		for part := range strings.SplitSeq(p, "/") {
			if len(part) > maxComponent || foldKey(part) == ".." {
				t.Fatalf("%q is allowed", p)
			}
			if foldKey(part) != foldKey(foldKey(part)) {
				t.Fatalf("folding %q twice differs", part)
			}
			if portable && strings.ContainsAny(part, `:*?"<>|`) {
				t.Fatalf("%q is portable", p)
			}
			if next := numbered(part, 7); len(next) > maxComponent || !utf8.ValidString(next) {
				t.Fatalf("%q becomes %q", part, next)
			}
		}
		if first, _, _ := strings.Cut(p, "/"); strings.EqualFold(first, StateDir) {
			t.Fatalf("%q is allowed", p)
		}
	})
}
