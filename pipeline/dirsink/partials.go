package dirsink

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"

	"github.com/chunkferry/chunkferry/pipeline"
)

const (
	maxOpen        = 32       // descriptors that a store keeps open
	largeFile      = 1 << 20  // bytes from which a file is preallocated
	reservedFile   = 64 << 20 // bytes from which that happens when the transfer is opened
	smallestHole   = 64 << 10
	syncSeparately = 16 // files up to which each is synced by itself
)

// partials are the data files of a transfer, one for each entry that has
// bytes, named by its number and created when first written.
type partials struct {
	dir    *os.Root
	layout *layout

	syncing sync.Mutex // held by sync: a second one waits for what the first has taken

	mu    sync.Mutex
	open  map[int]*partial
	turn  uint64
	dirty map[int]struct{} // written since the last sync
	grown bool             // a file was created since the last sync
	lost  error            // why written bytes may be gone: a sync or close failed
}

// partial is an open data file.
type partial struct {
	*os.File
	entry int
	users int
	turn  uint64 // of the last use
}

func newPartials(dir *os.Root, l *layout) *partials {
	return &partials{dir: dir, layout: l, open: make(map[int]*partial), dirty: make(map[int]struct{})}
}

func (p *partials) name(entry int) string { return strconv.Itoa(entry) }

// perm is the mode that a data file is created with, before the umask: what
// the final file gets, and enough to work with it.
func perm(e *pipeline.Entry, mask fs.FileMode) fs.FileMode {
	mode := e.Mode.Perm()
	if mode == 0 {
		mode = 0o644
	}
	return mode & mask
}

// write stores one span of a block.
func (p *partials) write(s span, data []byte, mode fs.FileMode) error {
	size := p.layout.size(s.entry)
	if int64(len(data)) == size {
		return p.writeWhole(s.entry, data, mode)
	}
	f, err := p.acquire(s.entry, mode)
	if err != nil {
		return err
	}
	defer p.release(f)
	if size >= largeFile && len(data) >= smallestHole && isZero(data) && punchHole(f.File, s.offset, int64(len(data))) {
		return nil
	}
	_, err = f.WriteAt(data, s.offset)
	return err
}

// writeWhole writes a file that lies within one block.
func (p *partials) writeWhole(entry int, data []byte, mode fs.FileMode) error {
	f, err := p.dir.OpenFile(p.name(entry), os.O_CREATE|os.O_WRONLY, mode|0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	err = errors.Join(err, f.Close())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[entry] = struct{}{}
	p.grown = true
	return err
}

// acquire opens the data file of an entry for writing, or creates it with its
// final size. Every acquire is followed by a release.
func (p *partials) acquire(entry int, mode fs.FileMode) (*partial, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.open[entry]
	if f == nil {
		file, err := p.openOrCreate(entry, mode)
		if err != nil {
			return nil, err
		}
		f = &partial{File: file, entry: entry}
		p.open[entry] = f
	}
	p.turn++
	f.turn = p.turn
	f.users++
	p.evict()
	return f, nil
}

func (p *partials) openOrCreate(entry int, mode fs.FileMode) (*os.File, error) {
	size := p.layout.m.Entries[entry].Size
	f, err := p.dir.OpenFile(p.name(entry), os.O_RDWR, 0)
	created := errors.Is(err, fs.ErrNotExist)
	if created {
		f, err = p.dir.OpenFile(p.name(entry), os.O_CREATE|os.O_EXCL|os.O_RDWR, mode|0o600)
	}
	if err != nil {
		return nil, err
	}
	p.grown = p.grown || created
	if size >= largeFile {
		if err := reserve(f, size, created); err != nil {
			f.Close()
			if created {
				p.dir.Remove(p.name(entry))
			}
			return nil, err
		}
	}
	return f, nil
}

// reserve gives f its final size: with the space for it if it is new, as far
// as the file system can.
func reserve(f *os.File, size int64, created bool) error {
	if created {
		if ok, err := allocate(f, size); ok || err != nil {
			return err
		}
	}
	fi, err := f.Stat()
	if err != nil || fi.Size() >= size {
		return err
	}
	return f.Truncate(size)
}

// release ends the use of f, which is dirty from now on: a sync that began
// before the write was over does not cover it.
func (p *partials) release(f *partial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[f.entry] = struct{}{}
	f.users--
	p.evict()
}

// evict closes what has not been used for longest.
func (p *partials) evict() {
	for len(p.open) > maxOpen {
		var oldest *partial
		for _, f := range p.open {
			if f.users == 0 && (oldest == nil || f.turn < oldest.turn) {
				oldest = f
			}
		}
		if oldest == nil {
			return
		}
		p.closeFile(oldest)
	}
}

func (p *partials) closeFile(f *partial) {
	if err := f.Close(); err != nil && p.lost == nil {
		p.lost = err
	}
	delete(p.open, f.entry)
}

// close closes all files. Nobody uses them any more.
func (p *partials) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.open {
		p.closeFile(f)
	}
}

// takeDirty returns the entries written since the last call, whether files
// were created, and the error that makes syncing pointless.
func (p *partials) takeDirty() (entries []int, grown bool, lost error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.dirty {
		entries = append(entries, i)
	}
	clear(p.dirty)
	grown, p.grown = p.grown, false
	return entries, grown, p.lost
}

// sync makes what was written before durable. With times set it includes the
// times of the files but not their names, which are about to change. When it fails the operating system may have dropped data that
// was written, so it fails from then on.
func (p *partials) sync(times bool) error {
	p.syncing.Lock()
	defer p.syncing.Unlock()
	entries, grown, err := p.takeDirty()
	if err != nil {
		return err
	}
	if err = p.syncEntries(entries, grown, times); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lost = err
	}
	return err
}

func (p *partials) syncEntries(entries []int, grown, times bool) error {
	if len(entries) > syncSeparately {
		if ok, err := syncAll(p.dir); ok {
			return err
		}
	}
	flush := syncData
	if times {
		flush = (*os.File).Sync
	}
	for _, i := range entries {
		f, err := p.dir.OpenFile(p.name(i), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(flush(f), f.Close()); err != nil {
			return err
		}
	}
	if grown && !times {
		return syncDir(p.dir)
	}
	return nil
}

var zeros [64 << 10]byte

func isZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
