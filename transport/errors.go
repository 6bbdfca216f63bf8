package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// The sentinels of the contract. Each matches the standard value it means, and
// adapters wrap them around their library's own error, so that a caller may
// ask for either.
var (
	// ErrNotOpen: the channel is still connecting.
	ErrNotOpen = errors.New("transport: channel not open yet")

	// ErrClosed: this side or the peer has begun to close, or the channel
	// died. Matches net.ErrClosed.
	ErrClosed = fmt.Errorf("transport: channel closed: %w", net.ErrClosed)

	// ErrTooLarge: the message exceeds Properties.MaxMessageSize. Send
	// smaller messages.
	ErrTooLarge = errors.New("transport: message too large")

	// ErrBufferFull: the queue has no room for the message. Wait with Drain.
	ErrBufferFull = errors.New("transport: send buffer full")

	// ErrInvalidText: a text message must be valid UTF-8 (RFC 6455, 8.1).
	ErrInvalidText = errors.New("transport: text message is not valid UTF-8")

	// ErrAborted: the channel ended without a graceful close; what the peer
	// sent may be incomplete. Matches io.ErrUnexpectedEOF.
	ErrAborted = fmt.Errorf("transport: channel aborted: %w", io.ErrUnexpectedEOF)

	// ErrPeerGone: the peer vanished without a word and the channel's
	// detection time ran out. Matches os.ErrDeadlineExceeded.
	ErrPeerGone = fmt.Errorf("transport: peer gone: %w", os.ErrDeadlineExceeded)

	// ErrUndelivered: Close gave up before the peer had taken everything.
	ErrUndelivered = errors.New("transport: closed with messages undelivered")

	// ErrUnsupported: the channel does not have this ability. Matches
	// errors.ErrUnsupported.
	ErrUnsupported = fmt.Errorf("transport: %w by this channel", errors.ErrUnsupported)
)

// SizeError is a message that exceeds the channel's limit. It matches
// [ErrTooLarge].
type SizeError struct {
	Size, Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("transport: message of %d bytes exceeds the limit of %d", e.Size, e.Limit)
}

// Unwrap makes errors.Is(err, ErrTooLarge) true.
func (e *SizeError) Unwrap() error { return ErrTooLarge }

// Closed returns the error of a channel that is closed because of cause: it
// matches [ErrClosed] and cause. With a nil cause it is ErrClosed itself.
func Closed(cause error) error {
	if cause == nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClosed, cause)
}

// Aborted returns the error of a channel that died of cause: it matches
// [ErrAborted] and cause.
func Aborted(cause error) error {
	if cause == nil || cause == io.ErrUnexpectedEOF || errors.Is(cause, ErrAborted) {
		return ErrAborted
	}
	return fmt.Errorf("%w: %w", ErrAborted, cause)
}
