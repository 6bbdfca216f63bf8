package dirsink

import "golang.org/x/sys/windows"

var (
	errnoNoSpace  = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}
	errnoQuota    = []error{windows.ERROR_DISK_QUOTA_EXCEEDED}
	errnoTooLarge = []error{windows.ERROR_FILE_TOO_LARGE}
	errnoName     = []error{windows.ERROR_INVALID_NAME, windows.ERROR_FILENAME_EXCED_RANGE}
	errnoReadOnly = []error{windows.ERROR_WRITE_PROTECT, windows.ERROR_ACCESS_DENIED}
)
