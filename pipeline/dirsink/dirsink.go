// Package dirsink puts what a [pipeline.Server] receives into a directory.
//
// # Where things are
//
// Files appear under their final names complete, verified and synced, and not
// before. Until then everything of a transfer is below the hidden directory
// .ferry, which only the owner may read:
//
//	.ferry/<transfer id>/lock      held while a process has the transfer open
//	.ferry/<transfer id>/journal   which blocks are there, with their hashes
//	.ferry/<transfer id>/data/<n>  the bytes of entry n
//	.ferry/<transfer id>/commit    what goes where, once everything is there
//	.ferry/<transfer id>/receipt   what went where: the transfer is finished
//
// The data files become the final files by being renamed, so .ferry must be on
// the file system of the directory. [Sink.Clean] removes what is old.
//
// # Crashes
//
// A process may die at any instant. Blocks are journalled after they are
// written, and every journalled block is read and hashed again before it
// counts: whatever was lost or damaged is named and sent again. A commit that
// was interrupted is finished by the next one. After a power failure the same
// holds; what [pipeline.Store].Sync had returned for is then still there.
//
// # Overwriting
//
// Without [Replace] no existing file is ever replaced, also if it appears while
// the commit runs: on Linux by renameat2 with RENAME_NOREPLACE, elsewhere and
// on file systems that lack it by a hard link. Where there are no hard links
// either (FAT, exFAT outside Linux) the name is looked up before the rename,
// and a file that another program creates between the two is lost.
//
// # Security
//
// Names are checked by [NameRules] before anything is stored. All work below
// the directory goes through [os.Root], and no symbolic link in the directory
// is followed, so nothing is read or written outside. Whoever else may write
// to the directory can still disturb transfers: give it to one user.
package dirsink

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/chunkferry/chunkferry/pipeline"
)

// StateDir is the hidden directory of unfinished transfers, below the sink's.
const StateDir = ".ferry"

// Overwrite says what happens when a final name is taken.
type Overwrite int

const (
	// Refuse refuses the transfer with [pipeline.ErrExists], before anything
	// of it is stored.
	Refuse Overwrite = iota

	// Rename keeps both: the new file becomes "name (1).ext", or the first
	// number that is free. Directories are merged, not renamed.
	Rename

	// Replace replaces a file, atomically, when the new one is complete. A
	// directory is never replaced by a file nor a file by a directory.
	Replace
)

// Options of a [Sink]. A zero field means its default.
type Options struct {
	// Overwrite is the policy for names that are taken. Default: Refuse.
	Overwrite Overwrite

	// Names says which names are taken. Default: PortableNames.
	Names NameRules

	// MaxBytes is the most that one transfer may hold, in bytes. Beyond it is
	// [pipeline.ErrLimit]. Default: no limit.
	MaxBytes int64

	// MaxFiles is the most files and directories that one transfer may have.
	// Beyond it is [pipeline.ErrLimit]. Default: 100,000.
	MaxFiles int

	// Quota is the most that all files below the directory may hold, finished
	// and unfinished, in bytes. Beyond it is [pipeline.ErrQuota]. It is
	// measured whenever a transfer is opened, which costs a walk through the
	// directory. Default: no quota.
	Quota int64

	// MinFree is what must stay free on the file system, in bytes. Beyond it
	// is [pipeline.ErrNoSpace]. Default: 0.
	MinFree int64

	// Mask holds the permission bits that files and directories may get; the
	// umask of the process applies as well. Default: 0o755.
	Mask fs.FileMode
}

func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.MaxFiles == 0 {
		c.MaxFiles = 100_000
	}
	if c.Mask == 0 {
		c.Mask = 0o755
	}
	c.Mask &= fs.ModePerm
	return c
}

// ErrBusy: the transfer is open in another process or Store. Matches
// [pipeline.ErrBusy].
var ErrBusy = fmt.Errorf("%w: another process has this transfer open", pipeline.ErrBusy)

// Sink is a directory that receives transfers. It implements [pipeline.Sink].
// All methods may be called by any number of goroutines.
type Sink struct {
	top  *os.Root
	opts Options

	mu   sync.Mutex
	open map[string]int64 // size in bytes of the transfers that are open, by id
}

// New returns a sink that puts files into dir, which must exist. Close it when
// its stores are closed.
func New(dir string, options *Options) (*Sink, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("pipeline: cannot open the target directory: %w", err)
	}
	return &Sink{top: top, opts: options.withDefaults(), open: make(map[string]int64)}, nil
}

// Close releases the directory. Stores must be closed before.
func (s *Sink) Close() error { return s.top.Close() }

// Open implements [pipeline.Sink]. The errors match those that it lists, or
// [ErrBusy] while the transfer is open elsewhere, which a dead process is not.
func (s *Sink) Open(ctx context.Context, m *pipeline.Manifest, restart bool) (pipeline.Store, error) {
	if err := s.checkLimits(m); err != nil {
		return nil, err
	}
	var bad problems
	for _, e := range m.Entries {
		if rule, ok := s.opts.Names.check(e.Path); !ok {
			bad.add(e.Path, &NameError{Rule: rule})
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	names := newTree(m.Entries, bad.add)
	if err := bad.err(); err != nil {
		return nil, err
	}
	st, err := lockState(s.top, m.ID)
	if err != nil {
		return nil, classify(err)
	}
	store, err := s.openStore(ctx, m, names, st, restart)
	if err != nil {
		st.releaseUnused()
		return nil, classify(err)
	}
	return store, nil
}

// isID reports whether id is one of a transfer.
func isID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == id
}

// checkLimits refuses what the options exclude whatever the disk looks like.
func (s *Sink) checkLimits(m *pipeline.Manifest) error {
	if !isID(m.ID) {
		return fmt.Errorf("%w: transfer id %q is not 32 lower-case hexadecimal digits", pipeline.ErrName, m.ID)
	}
	if m.BlockSize <= 0 {
		return fmt.Errorf("%w: block size %d", pipeline.ErrLimit, m.BlockSize)
	}
	if len(m.Entries) > s.opts.MaxFiles {
		return fmt.Errorf("%w: %d files and directories, at most %d", pipeline.ErrLimit, len(m.Entries), s.opts.MaxFiles)
	}
	if s.opts.MaxBytes > 0 && m.Size > s.opts.MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", pipeline.ErrLimit, m.Size, s.opts.MaxBytes)
	}
	return nil
}
