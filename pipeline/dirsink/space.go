package dirsink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/chunkferry/chunkferry/pipeline"
)

// spaceStep is how often, in bytes of a stream of unknown size, the space that
// is left is looked up.
const spaceStep = 64 << 20

// clusterSize is what a file's storage is rounded up to, in bytes, when space
// is estimated.
const clusterSize = 4096

// growth follows a stream of unknown size.
type growth struct {
	end     int64 // bytes so far
	checked int64 // up to where there was space
}

// claim checks that there is room for a transfer and counts it against the
// quota until unclaim.
func (s *Sink) claim(ctx context.Context, t *store) error {
	need, err := t.need(ctx)
	if err != nil {
		return err
	}
	if err := s.checkFree(need); err != nil {
		return err
	}
	s.mu.Lock()
	s.open[t.m.ID] = t.expected()
	s.mu.Unlock()
	if err := s.checkQuota(ctx); err != nil {
		s.unclaim(t.m.ID)
		return err
	}
	return nil
}

func (s *Sink) unclaim(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// expected is how large the transfer will be, in bytes. A stream of unknown
// size will have another block at least.
func (t *store) expected() int64 {
	if t.m.Size >= 0 {
		return t.m.Size
	}
	kept := int64(0)
	if fi, err := t.state.data.Lstat(t.files.name(0)); err == nil {
		kept = fi.Size()
	}
	return kept + int64(t.m.BlockSize)
}

// need estimates the storage that is still to be written, in bytes.
func (t *store) need(ctx context.Context) (int64, error) {
	if t.m.Size < 0 {
		return int64(t.m.BlockSize), nil
	}
	var need int64
	fresh := !t.state.hasData()
	for i := range t.m.Entries {
		e := &t.m.Entries[i]
		if e.Size <= 0 || t.placed[i] {
			continue
		}
		full := (e.Size + clusterSize - 1) / clusterSize * clusterSize
		if !fresh {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			if fi, err := t.state.data.Lstat(t.files.name(i)); err == nil {
				full -= min(full, allocated(fi))
			}
		}
		need += full
	}
	return need, nil
}

// checkFree refuses to write need bytes if less than MinFree would stay free.
func (s *Sink) checkFree(need int64) error {
	free, err := freeBytes(s.top)
	if err != nil {
		return err
	}
	if need > free-s.opts.MinFree {
		return fmt.Errorf("%w: %d bytes needed, %d free, %d to be kept free", pipeline.ErrNoSpace, need, free, s.opts.MinFree)
	}
	return nil
}

// checkQuota measures what the directory holds, with the open transfers at
// their full size.
func (s *Sink) checkQuota(ctx context.Context) error {
	if s.opts.Quota <= 0 {
		return nil
	}
	s.mu.Lock()
	var total int64
	open := make(map[string]bool)
	for id, size := range s.open {
		total += size
		open[path.Join(StateDir, id)] = true
	}
	s.mu.Unlock()
	err := fs.WalkDir(s.top.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil // removed meanwhile, or not ours
		case err != nil:
			return err
		case open[p]:
			return fs.SkipDir
		case d.Type().IsRegular():
			if fi, err := d.Info(); err == nil {
				total += fi.Size()
			}
		}
		return nil
	})
	if err == nil && total > s.opts.Quota {
		err = fmt.Errorf("%w: %d bytes with this transfer, at most %d", pipeline.ErrQuota, total, s.opts.Quota)
	}
	return err
}

// grow checks the limits before a stream of unknown size reaches end.
func (t *store) grow(end int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sink
	if end <= t.growth.end {
		return nil
	}
	if s.opts.MaxBytes > 0 && end > s.opts.MaxBytes {
		return fmt.Errorf("%w: more than %d bytes", pipeline.ErrLimit, s.opts.MaxBytes)
	}
	if end > t.growth.checked {
		ahead := max(end, t.growth.checked+spaceStep)
		if err := t.checkGrowth(end, ahead); err != nil {
			return err
		}
	}
	t.growth.end = end
	return nil
}

// checkGrowth looks whether there is room up to ahead, or at least up to end.
func (t *store) checkGrowth(end, ahead int64) error {
	s := t.sink
	room := func(to int64) error {
		s.mu.Lock()
		s.open[t.m.ID] = to
		s.mu.Unlock()
		return errors.Join(s.checkFree(to-t.growth.end), s.checkQuota(context.Background()))
	}
	if room(ahead) == nil {
		t.growth.checked = ahead
		return nil
	}
	err := room(end)
	if err == nil {
		t.growth.checked = end
	}
	return err
}
