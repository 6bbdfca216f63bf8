package dirsink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chunkferry/chunkferry/pipeline"
)

// The files of a transfer's state directory.
const (
	lockName    = "lock"
	journalName = "journal"
	dataName    = "data"
	commitName  = "commit"
	receiptName = "receipt"
)

// state is the locked state directory of one transfer.
type state struct {
	top  *os.Root // the sink's directory
	dir  *os.Root // .ferry/<id>
	data *os.Root // .ferry/<id>/data
	id   string
	lock *os.File
}

// lockState opens the state directory of id, creating it if need be, and locks
// it. It fails with ErrBusy if it is locked.
func lockState(top *os.Root, id string) (*state, error) {
	for range 100 {
		s, err := tryLockState(top, id)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errRemoved) {
			return nil, err
		}
		// Its last owner removed it while we were opening it.
	}
	return nil, ErrBusy
}

var errRemoved = errors.New("state directory was removed")

func tryLockState(top *os.Root, id string) (_ *state, err error) {
	s := &state{top: top, id: id}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	all, err := openDir(top, StateDir, 0o700)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if s.dir, err = openDir(all, id, 0o700); err != nil {
		return nil, err
	}
	if s.lock, err = s.dir.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := lockFile(s.lock); err != nil {
		return nil, err
	}
	mine, err := s.lock.Stat()
	if err != nil {
		return nil, err
	}
	current, err := s.dir.Lstat(lockName)
	if err != nil || !os.SameFile(mine, current) {
		return nil, errRemoved
	}
	s.data, err = openDir(s.dir, dataName, 0o700)
	return s, err
}

// close releases the lock and keeps everything.
func (s *state) close() {
	for _, r := range []*os.Root{s.data, s.dir} {
		if r != nil {
			r.Close()
		}
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// wipe forgets what is kept and stays locked.
func (s *state) wipe() error {
	s.data.Close()
	for _, name := range []string{journalName, commitName, receiptName, dataName} {
		if err := s.dir.RemoveAll(name); err != nil {
			return err
		}
	}
	var err error
	s.data, err = openDir(s.dir, dataName, 0o700)
	return err
}

// remove forgets what is kept and the directory itself, and closes s.
func (s *state) remove() error {
	err := s.wipe()
	if err == nil {
		s.removeEmpty()
	}
	s.close()
	return err
}

// hasData reports whether there are data files.
func (s *state) hasData() bool {
	f, err := s.data.Open(".")
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) > 0
}

// releaseUnused closes s, and removes it if it keeps nothing.
func (s *state) releaseUnused() {
	if _, err := s.dir.Lstat(journalName); errors.Is(err, fs.ErrNotExist) {
		s.removeEmpty()
	}
	s.close()
}

// removeEmpty removes the directories that are empty but for the lock. It
// fails silently: what cannot be removed is found by Clean.
func (s *state) removeEmpty() {
	if err := s.dir.Remove(dataName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := s.dir.Lstat(receiptName); err == nil {
		return
	}
	s.dir.Remove(lockName)
	s.top.Remove(StateDir + "/" + s.id)
	s.top.Remove(StateDir)
}

// openDir opens the directory name in parent, which it creates with mode perm
// if perm is not 0. It does not follow a symbolic link, and never did when it
// returns.
func openDir(parent *os.Root, name string, perm fs.FileMode) (*os.Root, error) {
	fi, err := parent.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && perm != 0 {
		if err := parent.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		fi, err = parent.Lstat(name)
	}
	if err != nil {
		return nil, err
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		return nil, &NameError{Rule: RuleSymlink, Other: name}
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%w: %q is not a directory", pipeline.ErrExists, name)
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := dir.Stat(".")
	if err != nil || !os.SameFile(fi, opened) {
		dir.Close()
		return nil, &NameError{Rule: RuleSymlink, Other: name}
	}
	return dir, nil
}

// syncNames makes the way to the state directory durable.
func (s *state) syncNames() error {
	all, err := openDir(s.top, StateDir, 0)
	if err != nil {
		return err
	}
	defer all.Close()
	return errors.Join(syncDir(s.dir), syncDir(all), syncDir(s.top))
}

// writeFile puts a small file in place atomically: it is whole after a crash
// of the process, and if durable is set after a power failure.
func writeFile(dir *os.Root, name string, data []byte, durable bool) error {
	tmp := name + ".new"
	f, err := dir.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		dir.Remove(tmp)
		return err
	}
	if err := dir.Rename(tmp, name); err != nil || !durable {
		return err
	}
	return syncDir(dir)
}
