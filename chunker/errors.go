package chunker

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/chunkferry/chunkferry/transport"
)

// What can be wrong with a received message. Each leaves the receiver as it
// was, with the message ignored, unless its comment says otherwise.
var (
	// ErrTooShort: the message has no complete header.
	ErrTooShort = errors.New("chunker: message too short")

	// ErrZeroTotal: the header says that there are no chunks. Something empty
	// is one empty chunk.
	ErrZeroTotal = errors.New("chunker: total of zero chunks")

	// ErrIndexRange: the index is not below the total.
	ErrIndexRange = errors.New("chunker: index out of range")

	// ErrTotalMismatch: the total differs from that of the first chunk.
	ErrTotalMismatch = errors.New("chunker: total differs from the first chunk's")

	// ErrSizeMismatch: the chunk has not the size that its position in the
	// file requires.
	ErrSizeMismatch = errors.New("chunker: size differs from the other chunks'")

	// ErrDuplicate: the chunk is already there with the same bytes. Safe to
	// ignore.
	ErrDuplicate = errors.New("chunker: duplicate chunk")

	// ErrConflict: the chunk is already there with other bytes. The first
	// bytes stay.
	ErrConflict = errors.New("chunker: chunk repeated with other bytes")

	// ErrLate: the file or frame was already complete. Safe to ignore.
	ErrLate = errors.New("chunker: chunk of something already complete")

	// ErrEvicted: the frame was dropped earlier to keep within a limit and
	// cannot complete any more.
	ErrEvicted = errors.New("chunker: chunk of a frame already dropped")

	// ErrLimit: the message asks for more than a limit allows. Raise the
	// limit named in the error if the sender is right. A [Reassembler] drops
	// the frame if it was open.
	ErrLimit = errors.New("chunker: over the limit")

	// ErrText: a text message where only chunks are expected.
	ErrText = errors.New("chunker: text message among chunks")
)

// What can be wrong with a transfer.
var (
	// ErrSourceChanged: the source holds fewer or more bytes than its size,
	// or the file was written to while it was read. The last chunk has not
	// been sent, so the receiver cannot take the upload for complete.
	ErrSourceChanged = errors.New("chunker: source changed while it was read")

	// ErrUsed: an Uploader sends its source once. Make another one.
	ErrUsed = errors.New("chunker: upload was already started")

	// ErrUnreliable: the channel declares that it may lose messages, and an
	// upload has no way to ask for them again. Matches
	// [transport.ErrUnsupported].
	ErrUnreliable = fmt.Errorf("chunker: uploads need a reliable channel: %w", transport.ErrUnsupported)

	// ErrIncomplete: the channel ended before the last missing chunk came.
	// Matches [io.ErrUnexpectedEOF].
	ErrIncomplete = fmt.Errorf("chunker: file incomplete: %w", io.ErrUnexpectedEOF)

	// ErrInvalid: an argument or option makes no sense. Matches
	// [fs.ErrInvalid].
	ErrInvalid = fmt.Errorf("chunker: %w", fs.ErrInvalid)
)

// ChunkError says at which chunk Err happened.
type ChunkError struct {
	Framed bool   // the chunk belongs to frame Frame; otherwise to an upload
	Frame  uint32 // only if Framed
	Index  uint32 // from 0
	Total  uint32
	Err    error
}

func (e *ChunkError) Error() string {
	what := strings.TrimPrefix(e.Err.Error(), "chunker: ")
	if e.Framed {
		return fmt.Sprintf("chunker: frame %d, chunk %d of %d: %s", e.Frame, e.Index, e.Total, what)
	}
	return fmt.Sprintf("chunker: chunk %d of %d: %s", e.Index, e.Total, what)
}

// Unwrap returns Err.
func (e *ChunkError) Unwrap() error { return e.Err }
