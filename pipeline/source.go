package pipeline

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"time"
)

// Source is what [Send] reads from. [Files], [Blob] and [Stream] make the
// usual ones.
type Source interface {
	// Entries lists what will be sent, each path once and valid for
	// [fs.ValidPath]. It is called once. An entry of unknown size (-1) must be
	// the only one.
	Entries(ctx context.Context) ([]Entry, error)

	// Open opens the i-th entry, which is not a directory. If the result is an
	// [io.ReaderAt], it is read at any offset and may be opened again; if not,
	// it is opened once and read from beginning to end. If it is an [fs.File],
	// its Stat must agree with the entry's size and time of change, before
	// and after it is read, or the transfer fails with [ErrSourceChanged].
	Open(i int) (io.ReadCloser, error)

	// Identity is the same in every process that offers this source, and
	// another one for every other source: a later Send then continues what an
	// earlier one left unfinished. "" is a source that is never offered twice.
	Identity() string
}

// Stream returns a source of one entry called name, of unknown length, that
// reads r to its end: standard input, the output of another program. It is
// sent block by block as it fills blocks, so that a slow stream is seen by the
// receiver a block at a time. It survives a change of channel, but not the
// death of this process.
//
// Send does not return from a canceled transfer before r.Read does, unless r
// is an [io.Closer] whose Close ends the Read.
func Stream(name string, r io.Reader) Source { return &stream{name: name, r: r} }

type stream struct {
	name string
	r    io.Reader
}

func (s *stream) Identity() string { return "" }

func (s *stream) Entries(context.Context) ([]Entry, error) {
	return []Entry{{Path: s.name, Size: -1, Mode: 0o644, ModTime: time.Now()}}, nil
}

func (s *stream) Open(int) (io.ReadCloser, error) {
	if c, ok := s.r.(io.ReadCloser); ok {
		return c, nil
	}
	return io.NopCloser(onlyReader{s.r}), nil
}

// onlyReader hides what a stream could do besides reading on.
type onlyReader struct{ io.Reader }

// Blob returns a source of one entry called name: the first size bytes of r.
// identity is its [Source] Identity.
func Blob(name string, r io.ReaderAt, size int64, identity string) Source {
	return &blob{entry: Entry{Path: name, Size: size, Mode: 0o644}, r: r, identity: identity}
}

type blob struct {
	entry    Entry
	r        io.ReaderAt
	identity string
}

func (b *blob) Identity() string                         { return b.identity }
func (b *blob) Entries(context.Context) ([]Entry, error) { return []Entry{b.entry}, nil }

func (b *blob) Open(int) (io.ReadCloser, error) {
	return struct {
		*io.SectionReader
		io.Closer
	}{io.NewSectionReader(b.r, 0, b.entry.Size), io.NopCloser(nil)}, nil
}

// layout is where the entries lie in the logical stream.
type layout struct {
	entries []Entry
	starts  []int64 // offset of each entry; one more for the end
	size    int64   // -1 if unknown
}

// newLayout checks entries and adds them up.
func newLayout(entries []Entry) (*layout, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: nothing to send", ErrInvalid)
	}
	l := &layout{entries: entries, starts: make([]int64, 1, len(entries)+1)}
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		switch {
		case !fs.ValidPath(e.Path) || e.Path == "." || len(e.Path) > maxPath:
			return nil, &EntryError{Path: e.Path, Err: ErrName}
		case seen[e.Path]:
			return nil, &EntryError{Path: e.Path, Err: fmt.Errorf("%w: two entries of one name", ErrName)}
		case e.Size < 0 && (e.Size != -1 || len(entries) > 1), e.Mode.IsDir() && e.Size != 0:
			return nil, &EntryError{Path: e.Path, Err: fmt.Errorf("%w: size %d", ErrInvalid, e.Size)}
		}
		seen[e.Path] = true
		if e.Size < 0 {
			l.size = -1
			break
		}
		if l.size += e.Size; l.size < 0 {
			return nil, fmt.Errorf("%w: sizes add up to more than 2^63 bytes", ErrInvalid)
		}
		l.starts = append(l.starts, l.size)
	}
	return l, nil
}

// at returns the first entry that has bytes at offset off or later.
func (l *layout) at(off int64) int {
	return sort.Search(len(l.entries), func(i int) bool { return l.starts[i+1] > off })
}

// contentReader reads the logical stream. One goroutine at a time may use it.
type contentReader struct {
	src    Source
	layout *layout

	open int // the entry that file is, -1 for none
	file io.ReadCloser
	pos  int64 // of file, if it is not a ReaderAt

	peeked  [1]byte // of a stream, if hasByte
	hasByte bool
}

func newContentReader(src Source, l *layout) *contentReader {
	return &contentReader{src: src, layout: l, open: -1}
}

// close closes the file in hand.
func (r *contentReader) close() error {
	if r.open < 0 {
		return nil
	}
	r.open = -1
	return r.file.Close()
}

// readAt fills p with the bytes at off, all of which must exist.
func (r *contentReader) readAt(p []byte, off int64) error {
	for i := r.layout.at(off); len(p) > 0; i++ {
		e := r.layout.entries[i]
		n := int(min(int64(len(p)), r.layout.starts[i+1]-off))
		if n == 0 {
			continue
		}
		if err := r.readEntry(i, p[:n], off-r.layout.starts[i]); err != nil {
			return &EntryError{Path: e.Path, Err: err}
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readEntry reads from one file, and checks before its first and after its
// last byte that it is what was listed.
func (r *contentReader) readEntry(i int, p []byte, off int64) error {
	e := r.layout.entries[i]
	if r.open != i {
		if err := r.close(); err != nil {
			return err
		}
		f, err := r.src.Open(i)
		if err != nil {
			return err
		}
		if _, ok := f.(io.ReaderAt); !ok && off > 0 {
			_ = f.Close()
			return ErrLost
		}
		r.open, r.file, r.pos = i, f, 0
		if err := unchanged(f, e); err != nil {
			return err
		}
	}
	var err error
	if at, ok := r.file.(io.ReaderAt); ok {
		var n int
		n, err = at.ReadAt(p, off)
		if n == len(p) {
			err = nil
		}
	} else if off != r.pos {
		return ErrLost
	} else {
		var n int
		n, err = io.ReadFull(r.file, p)
		r.pos += int64(n)
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return fmt.Errorf("%w: it ends before byte %d", ErrSourceChanged, e.Size)
	case err != nil:
		return err
	case off+int64(len(p)) == e.Size:
		if err := unchanged(r.file, e); err != nil {
			return err
		}
		return r.close()
	}
	return nil
}

// unchanged compares an open file with its entry.
func unchanged(f io.ReadCloser, e Entry) error {
	s, ok := f.(fs.File)
	if !ok {
		return nil
	}
	info, err := s.Stat()
	if err != nil {
		return err
	}
	if info.Size() != e.Size {
		return fmt.Errorf("%w: it has %d bytes, had %d", ErrSourceChanged, info.Size(), e.Size)
	}
	if !e.ModTime.IsZero() && !info.ModTime().Equal(e.ModTime) {
		return fmt.Errorf("%w: it was written to at %v", ErrSourceChanged, info.ModTime())
	}
	return nil
}

// next reads the next block of a stream of unknown length into p. With peek it
// looks whether anything follows. last says that nothing does; n may then be
// anything from 0 to len(p).
func (r *contentReader) next(p []byte, peek bool) (n int, last bool, err error) {
	if r.open < 0 {
		f, err := r.src.Open(0)
		if err != nil {
			return 0, false, r.locate(err)
		}
		r.open, r.file = 0, f
	}
	if r.hasByte {
		p[0], n, r.hasByte = r.peeked[0], 1, false
	}
	m, err := io.ReadFull(r.file, p[n:])
	n += m
	if err == nil && peek {
		_, err = io.ReadFull(r.file, r.peeked[:])
		r.hasByte = err == nil
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return n, true, r.locate(r.close())
	case err != nil:
		return n, false, r.locate(err)
	}
	return n, false, nil
}

func (r *contentReader) locate(err error) error {
	if err == nil {
		return nil
	}
	return &EntryError{Path: r.layout.entries[0].Path, Err: err}
}
