package dirsink

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// TestLinkNoReplace tests what moves files where the operating system has no
// call that refuses to replace.
func TestLinkNoReplace(t *testing.T) {
	top, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	for _, name := range []string{"a", "taken"} {
		if err := top.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkNoReplace(top, "a", "taken"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if got, err := top.ReadFile("taken"); err != nil || string(got) != "taken" {
		t.Errorf("replaced by %q, %v", got, err)
	}
	if err := linkNoReplace(top, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := top.ReadFile("b"); err != nil || string(got) != "a" {
		t.Errorf("moved %q, %v", got, err)
	}
	if _, err := top.Lstat("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name is still there: %v", err)
	}
	// A directory cannot be linked, as no file can on some file systems.
	if err := top.Mkdir("dir", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := linkNoReplace(top, "dir", "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without links: error %v", err)
	}
	if err := linkNoReplace(top, "dir", "moved"); err != nil {
		t.Errorf("without links: %v", err)
	}
}
