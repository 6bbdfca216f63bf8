package dirsink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/chunkferry/chunkferry/pipeline"
)

// Commit implements [pipeline.Store]. It works in steps, each of which may be
// repeated: finish the data files and sync them, write down what goes where,
// rename, sync the directories, turn what was written down into the receipt.
//
// It fails with an error matching [pipeline.ErrExists] if a final name was
// taken since the transfer began; nothing is renamed if that is found before
// the first file is.
func (t *store) Commit(ctx context.Context, size int64, root pipeline.Hash) (*pipeline.Receipt, error) {
	if t.m.Size >= 0 && size != t.m.Size {
		return nil, fmt.Errorf("pipeline: commit of %d bytes, the manifest says %d", size, t.m.Size)
	}
	receipt, err := t.commit(ctx, size, root)
	if err != nil {
		return nil, classify(err)
	}
	t.closeFiles()
	t.state.close()
	return receipt, nil
}

func (t *store) commit(ctx context.Context, size int64, root pipeline.Hash) (*pipeline.Receipt, error) {
	for i := range t.m.Entries {
		e := &t.m.Entries[i]
		if e.Mode.IsDir() || t.placed[i] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.finish(i, size); err != nil {
			return nil, classifyEntry(e.Path, err)
		}
	}
	t.files.close()
	if err := t.files.sync(true); err != nil {
		return nil, err
	}
	dirs := t.targetDirs()
	defer dirs.close()
	if err := t.makePlan(dirs, size, root); err != nil {
		return nil, err
	}
	if err := t.placeAll(ctx, dirs); err != nil {
		return nil, err
	}
	if err := dirs.sync(); err != nil {
		return nil, err
	}
	if err := t.state.dir.Rename(commitName, receiptName); err != nil {
		return nil, err
	}
	t.state.finish()
	return t.plan.receipt(t.m), nil
}

// finish gives the data file of entry i its exact size and its time.
func (t *store) finish(i int, total int64) error {
	e := &t.m.Entries[i]
	want := e.Size
	if want < 0 {
		want = total
	}
	name := t.files.name(i)
	if want == 0 {
		if err := t.files.create(i, perm(e, t.sink.opts.Mask)); err != nil {
			return err
		}
	}
	fi, err := t.state.data.Lstat(name)
	if err != nil {
		return err
	}
	if fi.Size() < want {
		return fmt.Errorf("pipeline: commit of a file of %d bytes of which %d were written", want, fi.Size())
	}
	if fi.Size() > want {
		if err := t.files.truncate(i, want); err != nil {
			return err
		}
	}
	t.files.touch(i)
	return setTime(t.state.data, name, e.ModTime)
}

// targetDirs returns the directories that the files go to.
func (t *store) targetDirs() *targetDirs {
	modes := make(map[string]fs.FileMode)
	for i := range t.m.Entries {
		if e := &t.m.Entries[i]; e.Mode.IsDir() {
			modes[e.Path] = dirPerm(e, t.sink.opts.Mask)
		}
	}
	return &targetDirs{top: t.sink.top, changed: make(map[string]bool), mode: func(p string) fs.FileMode {
		if mode, ok := modes[p]; ok {
			return mode
		}
		return 0o755 & t.sink.opts.Mask
	}}
}

// dirPerm is perm for a directory.
func dirPerm(e *pipeline.Entry, mask fs.FileMode) fs.FileMode {
	mode := e.Mode.Perm()
	if mode == 0 {
		mode = 0o755
	}
	return mode & mask
}

// makePlan decides about every entry that is not in place, and writes it down.
func (t *store) makePlan(dirs *targetDirs, size int64, root pipeline.Hash) error {
	p := &plan{Manifest: t.digest, Size: size, Root: root}
	used := make(map[string]bool)
	created := make(map[int]bool)
	if t.plan != nil {
		for _, i := range t.plan.Dirs {
			created[i] = true
		}
	}
	for i := range t.m.Entries {
		e := &t.m.Entries[i]
		if e.Mode.IsDir() {
			if found, err := dirs.find(e.Path); err != nil {
				return classifyEntry(e.Path, err)
			} else if found == nil || created[i] {
				p.Dirs = append(p.Dirs, i)
			}
			continue
		}
		f, err := t.planFile(i, dirs, used)
		if err != nil {
			return classifyEntry(e.Path, err)
		}
		used[f.Name] = true
		p.add(f)
	}
	if err := p.save(t.state.dir); err != nil {
		return err
	}
	t.plan = p
	return nil
}

func (t *store) planFile(i int, dirs *targetDirs, used map[string]bool) (f planned, err error) {
	if t.placed[i] {
		return t.plan.Files[t.plan.byEntry[i]], nil
	}
	f.Entry = i
	if f.Name, err = t.choose(i, dirs, used); err != nil {
		return f, err
	}
	fi, err := t.state.data.Lstat(t.files.name(i))
	if err != nil {
		return f, err
	}
	f.Size, f.ModTime = fi.Size(), fi.ModTime().UnixNano()
	return f, nil
}

// placeAll makes the directories, moves the files, and sets what was put off.
func (t *store) placeAll(ctx context.Context, dirs *targetDirs) error {
	for n := range t.plan.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := t.plan.Files[n].Entry
		if err := t.place(n, dirs); err != nil {
			return classifyEntry(t.m.Entries[i].Path, err)
		}
	}
	for _, i := range t.plan.Dirs {
		e := &t.m.Entries[i]
		if err := dirs.open(e.Path, true); err != nil {
			return classifyEntry(e.Path, err)
		}
	}
	for n := len(t.plan.Dirs) - 1; n >= 0; n-- {
		e := &t.m.Entries[t.plan.Dirs[n]]
		err := dirs.open(path.Dir(e.Path), false)
		if err == nil {
			err = errors.Join(
				restrict(dirs.dir, path.Base(e.Path), dirPerm(e, t.sink.opts.Mask), 0o700),
				setTime(dirs.dir, path.Base(e.Path), e.ModTime))
		}
		if err != nil {
			return classifyEntry(e.Path, err)
		}
	}
	return nil
}

// place moves one file to its final name. If somebody has taken the name since
// the plan was made, the policy Rename makes another plan.
func (t *store) place(n int, dirs *targetDirs) error {
	for range maxCopies {
		f := &t.plan.Files[n]
		e := &t.m.Entries[f.Entry]
		if err := dirs.open(path.Dir(f.Name), true); err != nil {
			return err
		}
		if !t.placed[f.Entry] {
			err := dirs.move(t.state, t.files.name(f.Entry), path.Base(f.Name), t.sink.opts.Overwrite == Replace)
			if errors.Is(err, fs.ErrExist) && t.sink.opts.Overwrite == Rename {
				if err := t.makePlan(dirs, t.plan.Size, t.plan.Root); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			t.placed[f.Entry] = true
		}
		return restrict(dirs.dir, path.Base(f.Name), perm(e, t.sink.opts.Mask), 0o600)
	}
	return pipeline.ErrExists
}

// finish removes what a finished transfer does not need. What stays behind is
// found by Clean.
func (s *state) finish() {
	s.dir.RemoveAll(journalName)
	s.dir.RemoveAll(dataName)
}

// create makes the data file of an entry without bytes.
func (p *partials) create(entry int, mode fs.FileMode) error {
	f, err := p.dir.OpenFile(p.name(entry), os.O_CREATE|os.O_WRONLY, mode|0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// truncate cuts a data file.
func (p *partials) truncate(entry int, size int64) error {
	f, err := p.dir.OpenFile(p.name(entry), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// touch makes the next sync include an entry.
func (p *partials) touch(entry int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[entry] = struct{}{}
	p.grown = true
}
