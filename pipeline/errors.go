package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// What a receiver or its [Sink] can refuse. Each has a code on the wire and
// means the same on both sides; the side that is told gets it wrapped in a
// [PeerError].
var (
	// ErrUnauthorized: the access token is wrong or missing. Matches
	// [fs.ErrPermission].
	ErrUnauthorized error = &meaning{"pipeline: access token refused", fs.ErrPermission}

	// ErrVersion: the peers share no protocol version. Update one of them.
	ErrVersion = errors.New("pipeline: no common protocol version")

	// ErrExists: a final name is taken and must not be overwritten. Matches
	// [fs.ErrExist].
	ErrExists error = &meaning{"pipeline: name taken", fs.ErrExist}

	// ErrName: a name is not allowed at the receiver. Matches [fs.ErrInvalid].
	ErrName error = &meaning{"pipeline: name not allowed", fs.ErrInvalid}

	// ErrNoSpace: the receiver's storage is full. What arrived is kept; send
	// again when there is room.
	ErrNoSpace = errors.New("pipeline: no space left at the receiver")

	// ErrQuota: the receiver's quota is used up. What arrived is kept.
	ErrQuota = errors.New("pipeline: quota of the receiver used up")

	// ErrReadOnly: the receiver may not write to its storage. What arrived is
	// kept. Matches [fs.ErrPermission].
	ErrReadOnly error = &meaning{"pipeline: storage of the receiver is read-only", fs.ErrPermission}

	// ErrLimit: the transfer exceeds a limit that the receiver has set. The
	// text names the limit.
	ErrLimit = errors.New("pipeline: over a limit of the receiver")

	// ErrSourceChanged: the source is not what it was when the transfer
	// began. Send with Restart to replace what was sent of the old one.
	ErrSourceChanged = errors.New("pipeline: source changed since the transfer began")
)

// meaning is a sentinel that matches a standard one without repeating its text.
type meaning struct {
	text string
	err  error
}

func (m *meaning) Error() string { return m.text }
func (m *meaning) Unwrap() error { return m.err }

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

// What ends a transfer or one attempt of it.
var (
	// ErrProtocol: the peer broke the rules of the protocol.
	ErrProtocol = errors.New("pipeline: protocol violation")

	// ErrUnknownTransfer: the receiver does not know the transfer to join, or
	// the resumption token is wrong. [Send] then offers it anew by itself.
	ErrUnknownTransfer = errors.New("pipeline: unknown transfer")

	// ErrSuperseded: the same sender has begun to continue this transfer
	// elsewhere.
	ErrSuperseded = errors.New("pipeline: transfer was taken over by a newer sender")

	// ErrBusy: the receiver has as many transfers, channels or handshakes as
	// it allows, or another process of its machine has the transfer open.
	// [Send] tries again by itself.
	ErrBusy = errors.New("pipeline: receiver busy")

	// ErrShutdown: the receiver is shutting down; what arrived is kept. [Send]
	// tries again by itself.
	ErrShutdown = errors.New("pipeline: receiver shutting down")

	// ErrIdle: the peer was silent for longer than it may be. Matches
	// [os.ErrDeadlineExceeded].
	ErrIdle error = &meaning{"pipeline: peer silent for too long", os.ErrDeadlineExceeded}

	// ErrCorrupt: a block arrived damaged again and again, or the whole does
	// not have the hash that its parts promised.
	ErrCorrupt = errors.New("pipeline: content damaged on the way")

	// ErrLost: the receiver lost bytes that it had acknowledged, and the
	// source cannot be read twice.
	ErrLost = errors.New("pipeline: receiver lost what a stream cannot repeat")

	// ErrCanceled: one side ended the transfer on purpose; see [CancelError].
	ErrCanceled = errors.New("pipeline: transfer canceled")

	// ErrInternal: the receiver failed for a reason that concerns only its
	// operator, who finds it in the log.
	ErrInternal = errors.New("pipeline: receiver failed")

	// ErrUnreachable: no route led to a receiver that would take the transfer
	// for as long as retrying was allowed.
	ErrUnreachable = errors.New("pipeline: gave up trying")

	// ErrUnfit: the channel declares itself unordered or unreliable, or takes
	// messages too small to carry a chunk. Matches [errors.ErrUnsupported].
	ErrUnfit error = &meaning{"pipeline: channel unfit for transfers", errors.ErrUnsupported}

	// ErrInvalid: an argument or option makes no sense. Matches
	// [fs.ErrInvalid].
	ErrInvalid = fmt.Errorf("pipeline: %w", fs.ErrInvalid)
)

// codeOf is an error that travels.
type codeOf struct {
	code      string
	err       error
	temporary bool // may succeed when tried again soon
}

// codes are the names of the errors on the wire.
var codes = []codeOf{
	{"unauthorized", ErrUnauthorized, false},
	{"version", ErrVersion, false},
	{"exists", ErrExists, false},
	{"name", ErrName, false},
	{"no-space", ErrNoSpace, false},
	{"quota", ErrQuota, false},
	{"read-only", ErrReadOnly, false},
	{"limit", ErrLimit, false},
	{"source-changed", ErrSourceChanged, false},
	{"protocol", ErrProtocol, false},
	{"unknown-transfer", ErrUnknownTransfer, true},
	{"superseded", ErrSuperseded, false},
	{"busy", ErrBusy, true},
	{"shutdown", ErrShutdown, true},
	{"idle", ErrIdle, true},
	{"corrupt", ErrCorrupt, false},
	{"lost", ErrLost, false},
	{"internal", ErrInternal, false},
}

// CodeOf returns the name that the cause of err has on the wire, on whichever
// side it arose (docs/wire-format.md lists them), or "" if it has none.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*PeerError](err); ok {
		return e.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

// PeerError is an error that the other side reported.
type PeerError struct {
	Code    string // as on the wire; see docs/wire-format.md
	Message string // the peer's words: do not trust, do not parse
	Path    string // of the entry concerned, if one is
}

func (e *PeerError) Error() string {
	where := ""
	if e.Path != "" {
		where = fmt.Sprintf("%q: ", e.Path)
	}
	return fmt.Sprintf("pipeline: peer: %s%s (%s)", where, printable(e.Message), printable(e.Code))
}

// Unwrap returns the sentinel that Code stands for, or nil.
func (e *PeerError) Unwrap() error {
	for _, c := range codes {
		if c.code == e.Code {
			return c.err
		}
	}
	return nil
}

// CancelError is the end of a transfer that somebody wanted. It matches
// [ErrCanceled].
type CancelError struct {
	Reason string // given by who canceled
	ByPeer bool   // the other side did

	cause error // of this side's context
}

func (e *CancelError) Error() string {
	who := "here"
	if e.ByPeer {
		who = "by the peer"
	}
	if e.Reason == "" {
		return "pipeline: transfer canceled " + who
	}
	return fmt.Sprintf("pipeline: transfer canceled %s: %s", who, printable(e.Reason))
}

// Unwrap makes errors.Is true for ErrCanceled and for the cause of the context
// that was canceled on this side.
func (e *CancelError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrCanceled}
	}
	return []error{ErrCanceled, e.cause}
}

// report turns an error into the message that tells the peer. What has no
// code is internal and keeps its text to itself.
func report(err error) *failure {
	f := &failure{Code: CodeOf(err), Message: "internal error"}
	if e, ok := errors.AsType[*EntryError](err); ok {
		f.Path = clip(e.Path)
	}
	if e, ok := err.(*EntryError); ok { //nolint:errorlint // only an outermost path may go
		err = e.Err // the message need not repeat it
	}
	if f.Code == "" {
		f.Code = "internal"
	} else {
		f.Message = clip(strings.TrimPrefix(err.Error(), "pipeline: "))
	}
	return f
}

// temporary reports whether another attempt may succeed where this one
// failed: everything but what the peer refused or this side gave up.
func temporary(err error) bool {
	if _, ok := errors.AsType[*PeerError](err); !ok {
		return !errors.Is(err, ErrCanceled) && !errors.Is(err, ErrUnfit)
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.temporary
		}
	}
	return false
}

// permanent reports whether the receiver refuses err to everybody who does not
// change anything.
func permanent(err error) bool {
	if _, ok := errors.AsType[*PeerError](err); ok {
		return false // the sender's own word
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return !c.temporary
		}
	}
	return false
}

// storage reports whether an error is the state of the receiver's storage,
// which may change.
func storage(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, ErrQuota) || errors.Is(err, ErrReadOnly)
}

// protocolError says which rule the peer broke.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrProtocol, fmt.Errorf(format, args...))
}

// printable keeps the peer's words from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, clip(s))
}
