//go:build unix

package dirsink

import "golang.org/x/sys/unix"

var (
	errnoNoSpace  = []error{unix.ENOSPC}
	errnoQuota    = []error{unix.EDQUOT}
	errnoTooLarge = []error{unix.EFBIG}
	errnoName     = []error{unix.ENAMETOOLONG, unix.EILSEQ}
	errnoReadOnly = []error{unix.EROFS, unix.EACCES, unix.EPERM}
)
