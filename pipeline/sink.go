package pipeline

import (
	"context"
	"io/fs"
	"time"
)

// Manifest says what a transfer contains. The files, in the order of Entries,
// form one logical stream of bytes, which is cut into blocks of BlockSize; the
// last one is short. A block may span files, so that ten thousand small files
// cost no more than one large file.
type Manifest struct {
	// ID names the transfer: 32 lower-case hexadecimal digits. The same
	// source offered again by the same sender has the same ID. Whoever knows
	// it and the access token may continue the transfer, so do not publish it.
	ID string

	// Entries lists the files and directories, each path once. An entry of
	// unknown size is the only one.
	Entries []Entry

	// BlockSize is a power of two from 64 KiB to 16 MiB, in bytes.
	BlockSize int

	// Size is the sum of the sizes of Entries, or -1 if it is unknown.
	Size int64
}

// Entry is one file or directory of a [Manifest].
type Entry struct {
	// Path is relative, slash-separated and valid for [fs.ValidPath]; it is
	// UTF-8 and otherwise as the sender wrote it. A sink that turns it into a
	// file name must check it against the rules of its file system.
	Path string

	// Size is the length in bytes, 0 for a directory, -1 if unknown.
	Size int64

	// Mode holds the permission bits, and fs.ModeDir for a directory.
	Mode fs.FileMode

	// ModTime is the time of the last change, zero if unknown.
	ModTime time.Time
}

// Blocks returns how many blocks a transfer of size bytes has: 0 when it is
// empty.
func (m *Manifest) Blocks(size int64) int64 {
	return (size + int64(m.BlockSize) - 1) / int64(m.BlockSize)
}

// BlockState is a block that a [Store] holds, as it was given to WriteBlock.
type BlockState struct {
	Block uint32
	Size  int // bytes
	Hash  Hash
}

// Held is what a [Store] still has of an earlier attempt.
type Held struct {
	// Blocks are the blocks whose bytes, read again from storage, have the
	// recorded hash ([VerifyBlock]); ascending, each once.
	Blocks []BlockState

	// Damage names what was recorded and is not usable: a block that reads
	// back differently, a torn record, a truncated file. It is reported in
	// the log; the blocks concerned are sent again.
	Damage []error
}

// Receipt proves a finished transfer.
type Receipt struct {
	Size int64 // bytes
	Root Hash  // of the whole stream; of a single file it is what b3sum prints

	// Files lists the files, not the directories, in manifest order.
	Files []Committed
}

// Committed is a file under its final name.
type Committed struct {
	Path string // as in the manifest
	Name string // where it is now, slash-separated, relative to the sink's root
}

// Sink is where a [Server] puts what it receives. Its methods may be called
// by any number of goroutines.
//
// The errors of a Sink and its Stores travel to the sender by the sentinel
// they match, with their text: [ErrExists], [ErrName], [ErrNoSpace],
// [ErrQuota], [ErrReadOnly], [ErrLimit], [ErrSourceChanged]. Locate them with
// [EntryError] where an entry is to blame. Any other error is reported to the
// sender as internal, without its text.
type Sink interface {
	// Open starts transfer m.ID, or continues it from what an earlier Open
	// left behind, in this process or one that died. m is already consistent
	// (paths valid and unique, sizes adding up) and must not be changed. A
	// Server never has two Stores of one ID open.
	//
	// Open refuses early what it would refuse late: a name that is not
	// allowed, a final name that is taken, no room for m.Size. If something
	// unfinished is kept for m.ID whose manifest differs in more than modes,
	// Open answers [ErrSourceChanged] and keeps it, unless restart is set:
	// then whatever is kept for m.ID is forgotten first.
	Open(ctx context.Context, m *Manifest, restart bool) (Store, error)
}

// Store holds the blocks of one transfer. WriteBlock and Sync may be called
// concurrently; the other methods are called alone. After Commit, Suspend or
// Discard no method is called, except that a failed Commit may be repeated or
// followed by Suspend.
type Store interface {
	// Receipt is not nil when this transfer, with this very manifest, was
	// committed before and its files are still in place: the sender then
	// missed the good news and is told without sending anything. The Server
	// calls Suspend next.
	Receipt() *Receipt

	// Held reads what is kept from an earlier attempt and verifies it. It is
	// called once, before any WriteBlock, and may take as long as reading
	// takes.
	Held(ctx context.Context) (Held, error)

	// WriteBlock stores a verified block at offset n*BlockSize of the stream.
	// When it returns nil the block survives the death of the process. data
	// is valid during the call only. Concurrent calls have different n. A
	// block may be written again: the last bytes count.
	WriteBlock(n uint32, data []byte, hash Hash) error

	// Sync returns when every block written before it was called survives a
	// power failure.
	Sync(ctx context.Context) error

	// Commit makes the files appear under their final names, complete and
	// durable, with their modes and times. size and root are those of the
	// whole stream; every block was written. If it is interrupted, even by
	// the death of the process, Open and a further Commit finish it.
	Commit(ctx context.Context, size int64, root Hash) (*Receipt, error)

	// Suspend releases all resources and keeps what was written.
	Suspend() error

	// Discard releases all resources and forgets what was written.
	Discard() error
}
