package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// What a receiver or its [Sink] can refuse. Each has a code on the wire and
// means the same on both sides; the side that is told gets it wrapped in a
// [PeerError].
var (
	// ErrUnauthorized: the access token is wrong or missing. Matches
	// [fs.ErrPermission].
	ErrUnauthorized = fmt.Errorf("pipeline: access token refused: %w", fs.ErrPermission)

	// ErrVersion: the peers share no protocol version. Update one of them.
	ErrVersion = errors.New("pipeline: no common protocol version")

	// ErrExists: a final name is taken and must not be overwritten. Matches
	// [fs.ErrExist].
	ErrExists = fmt.Errorf("pipeline: name taken: %w", fs.ErrExist)

	// ErrName: a name is not allowed at the receiver. Matches [fs.ErrInvalid].
	ErrName = fmt.Errorf("pipeline: name not allowed: %w", fs.ErrInvalid)

	// ErrNoSpace: the receiver's storage is full. What arrived is kept; send
	// again when there is room.
	ErrNoSpace = errors.New("pipeline: no space left at the receiver")

	// ErrQuota: the receiver's quota is used up. What arrived is kept.
	ErrQuota = errors.New("pipeline: quota of the receiver used up")

	// ErrReadOnly: the receiver may not write to its storage. What arrived is
	// kept. Matches [fs.ErrPermission].
	ErrReadOnly = fmt.Errorf("pipeline: storage of the receiver is read-only: %w", fs.ErrPermission)

	// ErrLimit: the transfer exceeds a limit that the receiver has set. The
	// text names the limit.
	ErrLimit = errors.New("pipeline: over a limit of the receiver")

	// ErrSourceChanged: the source is not what it was when the transfer
	// began. Send with Restart to replace what was sent of the old one.
	ErrSourceChanged = errors.New("pipeline: source changed since the transfer began")
)

// EntryError says which file Err is about.
type EntryError struct {
	Path string // as in the manifest
	Err  error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("pipeline: %q: %s", e.Path, strings.TrimPrefix(e.Err.Error(), "pipeline: "))
}

// Unwrap returns Err.
func (e *EntryError) Unwrap() error { return e.Err }
