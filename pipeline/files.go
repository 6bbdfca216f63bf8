package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Files returns a source of the named files and directories, the latter with
// all that is in them. Each argument becomes an entry under its last element:
// Files("/data/a.mp4", "runs/7") sends a.mp4, 7 and 7/... . Symbolic links
// named as arguments are followed; those found in directories, and whatever is
// neither file nor directory, are left out.
//
// Its identity is made of the host's name and the absolute paths.
func Files(paths ...string) Source { return &files{args: paths} }

type files struct {
	args  []string
	paths []string // of each entry
}

func (s *files) Identity() string {
	host, _ := os.Hostname() // without a name the paths must do
	id := []string{host}
	for _, p := range s.args {
		abs, err := filepath.Abs(p)
		if err != nil {
			return ""
		}
		id = append(id, abs)
	}
	return strings.Join(id, "\x00")
}

func (s *files) Entries(ctx context.Context) ([]Entry, error) {
	s.paths = nil
	var list []Entry
	for _, arg := range s.args {
		abs, err := filepath.Abs(arg)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(abs)
		if name == string(filepath.Separator) || filepath.VolumeName(abs) == abs {
			return nil, fmt.Errorf("%w: a root directory has no name to send it under", ErrInvalid)
		}
		info, err := os.Stat(abs)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if !info.Mode().IsRegular() {
				return nil, &fs.PathError{Op: "send", Path: arg, Err: errors.New("neither file nor directory; use Stream")}
			}
			list = s.add(list, name, abs, info)
			continue
		}
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return nil, err
		}
		err = filepath.WalkDir(abs, func(p string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || !d.IsDir() && !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(abs, p)
			if err != nil {
				return err
			}
			list = s.add(list, path.Join(name, filepath.ToSlash(rel)), p, info)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *files) add(list []Entry, name, file string, info fs.FileInfo) []Entry {
	e := Entry{Path: name, Size: info.Size(), Mode: info.Mode().Perm(), ModTime: info.ModTime()}
	if info.IsDir() {
		e.Size, e.Mode = 0, e.Mode|fs.ModeDir
	}
	s.paths = append(s.paths, file)
	return append(list, e)
}

func (s *files) Open(i int) (io.ReadCloser, error) { return os.Open(s.paths[i]) }
