package wschan

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/chunkferry/chunkferry/transport"
)

var (
	// ErrOversize: a message exceeds the receiver's Options.MaxMessageSize.
	// Both ends see it: the receiver closes with code 1009. Matches
	// transport.ErrTooLarge.
	ErrOversize = fmt.Errorf("wschan: %w for the receiver", transport.ErrTooLarge)

	// ErrText: the peer sent a text message that is not UTF-8. It was told so
	// with close code 1007. Matches transport.ErrInvalidText.
	ErrText = fmt.Errorf("wschan: from the peer: %w", transport.ErrInvalidText)

	// ErrNoCloseFrame: the connection ended without a close frame. Matches
	// io.ErrUnexpectedEOF.
	ErrNoCloseFrame = fmt.Errorf("wschan: connection ended without a close frame: %w", io.ErrUnexpectedEOF)

	// ErrLabel: a label is longer than MaxLabel or not UTF-8.
	ErrLabel = fmt.Errorf("wschan: a label is at most %d bytes of UTF-8", MaxLabel)

	// ErrListenerClosed is what Accept returns after Listener.Close. Matches
	// net.ErrClosed.
	ErrListenerClosed = fmt.Errorf("wschan: listener closed: %w", net.ErrClosed)
)

// HandshakeError is a server's answer to Dial that is not an upgrade, such as
// 403 for a foreign origin and 503 for a listener that is full.
type HandshakeError struct {
	URL    string
	Status int // of HTTP
	Err    error
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("wschan: dial %s: server answered %d %s", e.URL, e.Status, http.StatusText(e.Status))
}

// Unwrap returns the library's error.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Close codes of RFC 6455, section 7.4.1.
const (
	codeNormal    = 1000
	codeGoingAway = 1001
	codeNone      = 1005 // a close frame without a code
	codeNotUTF8   = 1007
	codeTooBig    = 1009
)

// ending is what the error of a read, whose close code is -1 if there was no
// close frame, says about the channel's end: io.EOF alone is graceful.
func ending(err error, code int) error {
	switch code {
	case codeNormal, codeGoingAway, codeNone:
		return io.EOF
	case codeTooBig:
		return fmt.Errorf("%w: %w", ErrOversize, err)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrNoCloseFrame
	case errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Errorf("wschan: %w: %w", transport.ErrPeerGone, err)
	}
	return fmt.Errorf("wschan: %w", err)
}
