//go:build unix

package dirsink

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// writable returns why no name can be added to dir: its permissions, or those
// of its file system.
func writable(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.Faccessat(int(f.Fd()), ".", unix.W_OK, 0)
	runtime.KeepAlive(f)
	return err
}
