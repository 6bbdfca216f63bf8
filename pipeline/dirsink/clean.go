package dirsink

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Cleaned is a transfer that [Sink.Clean] has forgotten.
type Cleaned struct {
	ID    string
	Bytes int64         // of partial data, as allocated on disk
	Age   time.Duration // since it was last written to
}

// Clean forgets the transfers that nobody has open and nobody has written to
// for maxAge: unfinished ones with their data, and the receipts of finished
// ones. Files under their final names stay. It returns what it has forgotten,
// also when it fails.
func (s *Sink) Clean(ctx context.Context, maxAge time.Duration) ([]Cleaned, error) {
	all, err := s.top.Open(StateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	found, err := all.ReadDir(-1)
	all.Close()
	if err != nil {
		return nil, classify(err)
	}
	var cleaned []Cleaned
	var failed []error
	for _, d := range found {
		if err := ctx.Err(); err != nil {
			return cleaned, err
		}
		if !d.IsDir() || !isID(d.Name()) {
			continue
		}
		c, err := s.cleanOne(d.Name(), maxAge)
		if err != nil && !errors.Is(err, ErrBusy) {
			failed = append(failed, err)
		}
		if c != nil {
			cleaned = append(cleaned, *c)
		}
	}
	return cleaned, classify(errors.Join(failed...))
}

// cleanOne forgets a transfer if it is old and not open.
func (s *Sink) cleanOne(id string, maxAge time.Duration) (*Cleaned, error) {
	st, err := lockState(s.top, id)
	if err != nil {
		return nil, err
	}
	c := &Cleaned{ID: id}
	var last time.Time
	err = fs.WalkDir(st.dir.FS(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		c.Bytes += allocated(fi)
		if d.Name() != lockName && fi.ModTime().After(last) {
			last = fi.ModTime()
		}
		return nil
	})
	if err != nil {
		st.close()
		return nil, err
	}
	c.Age = time.Since(last)
	if c.Age < maxAge {
		st.close()
		return nil, nil
	}
	return c, st.remove()
}
