package dirsink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/chunkferry/chunkferry/pipeline"
)

// surveyBatch is how many names of a directory are read at once.
const surveyBatch = 1024

// surveyor compares the paths of a transfer with what the directory holds.
type surveyor struct {
	*store
	ctx   context.Context
	final map[string]bool // paths that this transfer has put in place
	bad   problems
}

// survey refuses the transfer if a final name is taken, or would be taken for
// an existing one. Under the policy Rename it notes such names.
func (t *store) survey(ctx context.Context) error {
	v := surveyor{store: t, ctx: ctx, final: make(map[string]bool)}
	for i := range t.placed {
		v.final[t.plan.finalName(i)] = true
	}
	if err := v.visit(t.sink.top, "."); err != nil {
		return err
	}
	return v.bad.err()
}

// visit compares the children of the directory at p with the names in dir.
func (v *surveyor) visit(dir *os.Root, p string) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	var below []string
	for {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		found, err := f.ReadDir(surveyBatch)
		for _, d := range found {
			if c, ok := meets(v.names[p], d.Name()); ok && v.compare(p, c, d) {
				below = append(below, c.name)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, name := range below {
		sub := path.Join(p, name)
		r, err := openDir(dir, name, 0)
		if err != nil {
			return classifyEntry(sub, err)
		}
		err = v.visit(r, sub)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// compare judges one existing name that c of the directory p would be taken
// for. It returns whether to look below it.
func (v *surveyor) compare(p string, c child, d fs.DirEntry) bool {
	full := path.Join(p, c.name)
	existing := path.Join(p, d.Name())
	switch {
	case v.final[existing]:
	case c.file && v.sink.opts.Overwrite == Rename:
		v.taken[full] = true
	case d.Name() != c.name:
		v.bad.add(full, &NameError{Rule: RuleCollision, Other: existing})
	case c.file && v.sink.opts.Overwrite == Replace && !d.IsDir():
	case c.file:
		v.bad.add(full, pipeline.ErrExists)
	case d.Type()&fs.ModeSymlink != 0:
		v.bad.add(full, &NameError{Rule: RuleSymlink, Other: existing})
	case !d.IsDir():
		v.bad.add(full, fmt.Errorf("%w: it is not a directory", pipeline.ErrExists))
	default:
		return true
	}
	return false
}
