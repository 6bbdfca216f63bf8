//go:build darwin || dragonfly || freebsd || linux

package dirsink

import (
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// freeBytes returns what this user may still write to the file system of dir.
func freeBytes(dir *os.Root) (int64, error) {
	f, err := dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var st unix.Statfs_t
	err = unix.Fstatfs(int(f.Fd()), &st)
	runtime.KeepAlive(f)
	return int64(st.Bavail) * int64(st.Bsize), err //nolint:unconvert // the types differ between systems
}

// allocated returns the bytes that a file occupies.
func allocated(fi fs.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return fi.Size()
}
