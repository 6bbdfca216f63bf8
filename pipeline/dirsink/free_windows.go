package dirsink

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// freeBytes returns what this user may still write to the file system of dir.
func freeBytes(dir *os.Root) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return 0, err
	}
	var free, total, totalFree uint64
	err = windows.GetDiskFreeSpaceEx(path, &free, &total, &totalFree)
	return int64(min(free, 1<<62)), err
}

func allocated(fi fs.FileInfo) int64 { return fi.Size() }
