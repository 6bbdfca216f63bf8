package dirsink

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// targetDirs opens the directories that files go to, one at a time, and knows
// which of them have changed.
type targetDirs struct {
	top     *os.Root
	mode    func(p string) fs.FileMode // of a directory to create
	changed map[string]bool            // since the last sync

	absent string // a path that find did not find
	path   string // of the open directory, "" if none
	dir    *os.Root
	file   *os.File // the same directory as a descriptor
}

func (d *targetDirs) close() {
	if d.path != "" {
		d.file.Close()
		d.dir.Close()
		d.path = ""
	}
}

// find opens the directory p. It returns nil if there is none.
func (d *targetDirs) find(p string) (*os.Root, error) {
	if p == d.absent {
		return nil, nil
	}
	err := d.open(p, false)
	if errors.Is(err, fs.ErrNotExist) {
		d.absent = p
		return nil, nil
	}
	return d.dir, err
}

// open makes p the open directory.
func (d *targetDirs) open(p string, create bool) error {
	if d.path == p {
		return nil
	}
	if create {
		d.absent = "" // it will be there, whoever makes it
	}
	d.close()
	dir, err := d.top.OpenRoot(".")
	if err != nil {
		return err
	}
	at := ""
	for part := range strings.SplitSeq(p, "/") {
		if part == "." {
			break
		}
		at = path.Join(at, part)
		next, err := d.enter(dir, part, at, create)
		dir.Close()
		if err != nil {
			return err
		}
		dir = next
	}
	file, err := dir.Open(".")
	if err != nil {
		dir.Close()
		return err
	}
	d.path, d.dir, d.file = p, dir, file
	return nil
}

// enter opens the directory name at the path p, and creates it if it is told
// to.
func (d *targetDirs) enter(parent *os.Root, name, p string, create bool) (*os.Root, error) {
	dir, err := openDir(parent, name, 0)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	d.changed[path.Dir(p)] = true
	d.changed[p] = true
	return openDir(parent, name, d.mode(p)|0o700)
}

// move puts a data file under a final name in the open directory. Unless
// replace is set it fails with an error matching [fs.ErrExist] if the name is
// taken.
func (d *targetDirs) move(from *state, data, name string, replace bool) error {
	d.changed[d.path] = true
	oldPath := path.Join(StateDir, from.id, dataName, data)
	newPath := path.Join(d.path, name)
	if replace {
		return d.top.Rename(oldPath, newPath)
	}
	if ok, err := renameNoReplace(from.data, data, d.file, name); ok {
		return err
	}
	return linkNoReplace(d.top, oldPath, newPath)
}

// linkNoReplace renames where no call of the operating system refuses to
// replace: by a second link, or after a look where there are no links.
func linkNoReplace(top *os.Root, oldPath, newPath string) error {
	err := top.Link(oldPath, newPath)
	switch {
	case err == nil:
		return top.Remove(oldPath)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if _, err := top.Lstat(newPath); err == nil {
		return &os.LinkError{Op: "rename", Old: oldPath, New: newPath, Err: fs.ErrExist}
	}
	return top.Rename(oldPath, newPath)
}

// sync makes the names in all changed directories durable.
func (d *targetDirs) sync() error {
	if len(d.changed) > syncSeparately {
		if ok, err := syncAll(d.top); ok {
			clear(d.changed)
			return err
		}
	}
	for p := range d.changed {
		if err := d.open(p, false); err != nil {
			return err
		}
		if err := syncDir(d.dir); err != nil {
			return err
		}
		delete(d.changed, p)
	}
	return nil
}

// setTime sets the time of a file or directory in dir, if it is known.
func setTime(dir *os.Root, name string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return dir.Chtimes(name, t, t)
}

// restrict takes permissions from a file or directory that it needed until
// now, if mode lacks them. Permissions that the umask took are not given back.
func restrict(dir *os.Root, name string, mode, needed fs.FileMode) error {
	if mode&needed == needed {
		return nil
	}
	fi, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	return dir.Chmod(name, fi.Mode().Perm()&mode)
}
