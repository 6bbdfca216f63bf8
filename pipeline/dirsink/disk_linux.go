package dirsink

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// allocate gives f size bytes of storage. ok is false if the file system
// cannot, or is in memory, where it takes as long as writing.
func allocate(f *os.File, size int64) (ok bool, err error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err == nil && st.Type == unix.TMPFS_MAGIC {
		return false, nil
	}
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// punchHole makes a part of f read as zeros without storing them. It reports
// whether the file system can.
func punchHole(f *os.File, offset, length int64) bool {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length) == nil
}

// syncData makes the bytes and the size of f durable.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// syncAll makes everything on the file system of dir durable. ok is false if
// there is no such call here. Before Linux 5.8 it does not report errors.
func syncAll(dir *os.Root) (ok bool, err error) {
	f, err := dir.Open(".")
	if err != nil {
		return true, err
	}
	defer f.Close()
	return true, unix.Syncfs(int(f.Fd()))
}

// renameNoReplace moves a file into another directory under a name that must
// not exist there. ok is false if the file system cannot.
func renameNoReplace(from *os.Root, oldName string, to *os.File, newName string) (ok bool, err error) {
	f, err := from.Open(".")
	if err != nil {
		return true, err
	}
	defer f.Close()
	err = unix.Renameat2(int(f.Fd()), oldName, int(to.Fd()), newName, unix.RENAME_NOREPLACE)
	runtime.KeepAlive(to)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return false, nil
	}
	return true, err
}
