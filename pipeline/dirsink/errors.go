package dirsink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/chunkferry/chunkferry/pipeline"
)

// classify makes an error of the operating system match the sentinel of
// package pipeline that it means. The paths of this machine are left out: the
// text goes to the sender.
func classify(err error) error {
	if err == nil || matchesSentinel(err) {
		return err
	}
	var sentinel error
	switch {
	case isAny(err, errnoNoSpace):
		sentinel = pipeline.ErrNoSpace
	case isAny(err, errnoQuota):
		sentinel = pipeline.ErrQuota
	case isAny(err, errnoTooLarge):
		sentinel = pipeline.ErrLimit
	case isAny(err, errnoName):
		return &NameError{Rule: RuleSystem}
	case isAny(err, errnoReadOnly), errors.Is(err, fs.ErrPermission):
		sentinel = pipeline.ErrReadOnly
	case errors.Is(err, fs.ErrExist):
		sentinel = pipeline.ErrExists
	default:
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, bare(err))
}

// classifyEntry is classify for an error that concerns the entry at path.
func classifyEntry(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*pipeline.EntryError](err); ok {
		return err
	}
	return locate(path, classify(err))
}

func matchesSentinel(err error) bool {
	return isAny(err, []error{
		pipeline.ErrExists, pipeline.ErrName, pipeline.ErrNoSpace, pipeline.ErrQuota,
		pipeline.ErrReadOnly, pipeline.ErrLimit, pipeline.ErrSourceChanged, ErrBusy,
	})
}

func isAny(err error, targets []error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// bare strips the operation and the path from an error of package os.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// maxProblems bounds how many entries one refusal names.
const maxProblems = 16

// problems collects what is wrong with the entries of a manifest.
type problems struct {
	errs []error
	more int
}

func (p *problems) add(path string, err error) {
	if len(p.errs) == maxProblems {
		p.more++
		return
	}
	p.errs = append(p.errs, locate(path, err))
}

// err returns nil, the one problem, or all of them.
func (p *problems) err() error {
	switch len(p.errs) {
	case 0:
		return nil
	case 1:
		return p.errs[0]
	}
	return p
}

func (p *problems) Error() string {
	var b strings.Builder
	for i, err := range p.errs {
		if i > 0 {
			b.WriteString("; ")
		}
		text := err.Error()
		if i > 0 {
			text = strings.TrimPrefix(text, "pipeline: ")
		}
		b.WriteString(text)
	}
	if p.more > 0 {
		fmt.Fprintf(&b, "; and %d more", p.more)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As find each of them.
func (p *problems) Unwrap() []error { return p.errs }
