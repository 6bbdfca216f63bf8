package quicchan

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
)

var (
	// ErrProtocol: the peer does not speak the framing of this package, or
	// wrongly.
	ErrProtocol = errors.New("quicchan: protocol violation")

	// ErrOversize: a message exceeds the receiver's Options.MaxMessageSize,
	// and the receiver aborted the channel. Both ends see it. Matches
	// transport.ErrTooLarge.
	ErrOversize = fmt.Errorf("quicchan: beyond the receiver's limit: %w", transport.ErrTooLarge)

	// ErrBusy: the peer has no room for another channel or connection. Try
	// again later.
	ErrBusy = errors.New("quicchan: peer has too many channels")

	// ErrSlowOpener: the preamble of a stream did not arrive in time.
	ErrSlowOpener = errors.New("quicchan: preamble did not arrive in time")

	// ErrLabel: Options.Label is longer than MaxLabel or not UTF-8.
	ErrLabel = fmt.Errorf("quicchan: a label is at most %d bytes of UTF-8", MaxLabel)

	// ErrListenerClosed is what Accept returns after Listener.Close. Matches
	// net.ErrClosed.
	ErrListenerClosed = fmt.Errorf("quicchan: listener closed: %w", net.ErrClosed)
)

// VersionError is a preamble of a version that this package does not speak. It
// matches [ErrProtocol].
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("quicchan: peer speaks version %d of the framing, this side %d", e.Version, wireVersion)
}

// Unwrap makes errors.Is(err, ErrProtocol) true.
func (e *VersionError) Unwrap() error { return ErrProtocol }

// The error codes of streams and connections; see the package comment.
const (
	codeDone     = 0
	codeAborted  = 1
	codeProtocol = 2
	codeOversize = 3
	codeBusy     = 4
	codeTimeout  = 5
)

// codeOf is what the peer is told.
func codeOf(cause error) uint64 {
	switch {
	case cause == nil:
		return codeDone
	case errors.Is(cause, ErrProtocol):
		return codeProtocol
	case errors.Is(cause, ErrOversize):
		return codeOversize
	case errors.Is(cause, ErrBusy):
		return codeBusy
	case errors.Is(cause, ErrSlowOpener):
		return codeTimeout
	default:
		return codeAborted
	}
}

// located adds to an error of quic-go what it means here.
func located(err error) error {
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, handshake := errors.AsType[*quic.HandshakeTimeoutError](err)
	if idle || handshake {
		return fmt.Errorf("%w: %w", transport.ErrPeerGone, err)
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok && e.Remote && e.ErrorCode == quic.ConnectionRefused {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	var code uint64
	if e, ok := errors.AsType[*quic.StreamError](err); ok && e.Remote {
		code = uint64(e.ErrorCode)
	} else if e, ok := errors.AsType[*quic.ApplicationError](err); ok && e.Remote {
		code = uint64(e.ErrorCode)
	}
	switch code {
	case codeAborted:
		return fmt.Errorf("peer aborted: %w", err)
	case codeProtocol:
		return fmt.Errorf("%w seen by the peer: %w", ErrProtocol, err)
	case codeOversize:
		return fmt.Errorf("%w: %w", ErrOversize, err)
	case codeBusy:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case codeTimeout:
		return fmt.Errorf("%w: %w", ErrSlowOpener, err)
	default:
		return err
	}
}

// truncated is located for a stream that ended where it must not: only an end
// mark is an end.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: stream ended without an end mark: %w", ErrProtocol, io.ErrUnexpectedEOF)
	}
	return located(err)
}
