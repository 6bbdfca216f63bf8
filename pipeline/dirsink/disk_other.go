//go:build !linux

package dirsink

import "os"

func allocate(*os.File, int64) (ok bool, err error) { return false, nil }
func punchHole(*os.File, int64, int64) bool         { return false }
func syncData(f *os.File) error                     { return f.Sync() }
func syncAll(*os.Root) (ok bool, err error)         { return false, nil }

func renameNoReplace(*os.Root, string, *os.File, string) (ok bool, err error) { return false, nil }
