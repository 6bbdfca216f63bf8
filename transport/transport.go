package transport

import (
	"context"
	"time"
)

// MessageSizeFloor is the payload, in bytes, that every channel carries in
// one message: what a WebRTC peer accepts when it announces nothing
// (RFC 8841, section 6: 64 KiB, of which pion keeps one byte for itself).
const MessageSizeFloor = 65535

// State is the stage of a channel's life. It moves forward only (rule R1) and
// is a hint: between reading it and acting on it the channel may move on, so
// code that sends must handle the error of Send anyway.
type State int

// The states of RTCDataChannel and WebSocket, in the order they are passed.
const (
	StateConnecting State = iota // not yet usable: Send answers ErrNotOpen
	StateOpen                    // messages flow
	StateClosing                 // this side or the peer has begun to close: Send answers ErrClosed
	StateClosed                  // nothing moves any more
)

// String returns the W3C's word for the state.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateOpen:
		return "open"
	case StateClosing:
		return "closing"
	case StateClosed:
		return "closed"
	default:
		return "invalid state"
	}
}

// MessageChannel is what the chunker needs in order to send: the three members
// that RTCDataChannel and WebSocket share (W3C WebRTC, section 6.2; WHATWG
// WebSockets, section 3.1). Everything else is an optional ability behind a
// helper of this package: [Drain], [PropertiesOf], [CloseWrite].
//
// All methods may be called by any number of goroutines at once.
type MessageChannel interface {
	// ReadyState returns the state, a hint (see [State]).
	ReadyState() State

	// BufferedAmount returns the payload bytes that Send has accepted and the
	// layer below has not yet released. What "released" means differs and is
	// declared as [Properties].Buffered. An empty message counts nothing.
	BufferedAmount() int

	// Send queues the whole of msg as one binary message, or nothing of it,
	// and does not wait for the network. It keeps nothing of msg.
	//
	// Errors: [ErrNotOpen] before the channel is open, [ErrClosed] from the
	// moment either side has begun to close, [ErrTooLarge] above
	// Properties.MaxMessageSize, [ErrBufferFull] when the queue has no room.
	// After ErrTooLarge and ErrBufferFull the channel is as it was.
	Send(msg []byte) error
}

// Channel is what adapters implement: a MessageChannel that also speaks text,
// receives and closes. The rules in the package comment bind every
// implementation; package transporttest checks them.
type Channel interface {
	MessageChannel

	// SendText is Send for a text message. Text that is not valid UTF-8 is
	// refused with [ErrInvalidText].
	SendText(msg string) error

	// Receive returns the next message, waiting for it until ctx is done.
	// Message.Data is valid until the next call. One goroutine at a time may
	// call Receive.
	//
	// Errors: ctx.Err() when ctx is done, which harms nothing; io.EOF when
	// the peer has ended gracefully and everything it sent has been returned;
	// [ErrClosed] after a local Close; an error matching [ErrAborted] and its
	// cause when the channel died, after everything that had arrived.
	Receive(ctx context.Context) (Message, error)

	// Close refuses further messages, lets everything accepted reach the peer,
	// and ends the channel. It wakes Receive and Drain with [ErrClosed] and
	// may be called from anywhere, at any time, repeatedly.
	//
	// It returns nil when the peer's end of the channel has taken everything,
	// and an error matching [ErrUndelivered] when the peer stopped taking
	// messages for longer than the adapter's close timeout or was gone.
	Close() error
}

// Message is one received message.
type Message struct {
	Data []byte // the payload, valid until the next Receive
	Text bool   // sent with SendText; Data is then UTF-8 if the peer is honest
}

// Properties says what a channel is and what it promises. The conformance kit
// tests what is declared, and tests that what is not declared is refused.
type Properties struct {
	// Label is the name the opener gave the channel, "" if none.
	Label string

	// MaxMessageSize is the largest payload Send accepts, in bytes.
	MaxMessageSize int

	// MaxBuffered is the most, in bytes, that BufferedAmount can reach before
	// Send answers ErrBufferFull. A message is always accepted when nothing
	// is buffered.
	MaxBuffered int

	// ReceiveBuffer is the most, in payload bytes, that the receiving side
	// holds for a reader that does not read: the adapter's inbox and the
	// carrier's receive window together.
	ReceiveBuffer int

	// Ordered: messages arrive in the order they were sent.
	Ordered bool

	// Reliable: every message arrives, as long as the channel lives.
	Reliable bool

	// HalfClose: [CloseWrite] ends one direction and leaves the other open.
	HalfClose bool

	// Buffered is what ends a byte's stay in BufferedAmount.
	Buffered Release

	// DeadPeer is the time within which a peer that vanished without a word
	// is noticed and the channel closed, even when idle. 0 means that only a
	// failing send may tell, when the operating system gives up.
	DeadPeer time.Duration
}

// Release names the event that takes a byte out of BufferedAmount. None of
// them says that the peer's application has it.
type Release int

// The events, from the nearest to the farthest.
const (
	ReleaseUnknown      Release = iota // the channel does not say
	ReleaseKernel                      // the operating system's socket buffer took it
	ReleasePacketized                  // it was packed into packets for first transmission
	ReleaseAcknowledged                // the peer's transport acknowledged it
	ReleaseReceived                    // it entered the peer's inbox
)

// String says it in the words of a table heading.
func (r Release) String() string {
	switch r {
	case ReleaseUnknown:
		return "unknown"
	case ReleaseKernel:
		return "until handed to the kernel"
	case ReleasePacketized:
		return "until packed into packets"
	case ReleaseAcknowledged:
		return "until acknowledged"
	case ReleaseReceived:
		return "until received"
	default:
		return "invalid release"
	}
}

// Describer is implemented by channels that know their properties. Call
// [PropertiesOf], not this.
type Describer interface {
	Properties() Properties
}

// PropertiesOf returns what ch declares. A channel that declares nothing is
// reported as ok == false with the one property every channel has, a
// MaxMessageSize of [MessageSizeFloor].
func PropertiesOf(ch MessageChannel) (p Properties, ok bool) {
	if d, ok := ch.(Describer); ok {
		return d.Properties(), true
	}
	return Properties{MaxMessageSize: MessageSizeFloor}, false
}

// WriteCloser is implemented by channels that can end one direction. Call
// [CloseWrite], not this.
type WriteCloser interface {
	CloseWrite() error
}

// CloseWrite ends the sending direction of ch: the peer receives everything
// sent so far and then io.EOF, while ch keeps receiving. Sends after it answer
// [ErrClosed]. Channels that do not declare Properties.HalfClose answer
// [ErrUnsupported] and are left as they were.
func CloseWrite(ch MessageChannel) error {
	w, ok := ch.(WriteCloser)
	if p, _ := PropertiesOf(ch); !ok || !p.HalfClose {
		return ErrUnsupported
	}
	return w.CloseWrite()
}

// Aborter is implemented by channels that can end without ceremony. Call
// [Abort], not this.
type Aborter interface {
	Abort() error
}

// Abort ends ch at once: what is queued is dropped, every waiting call wakes,
// and the peer learns of it as [ErrAborted] where the carrier can still tell
// it. It is what to do when Close would wait for a peer that is not worth
// waiting for. Channels without the ability answer [ErrUnsupported] and are
// left as they were.
func Abort(ch MessageChannel) error {
	a, ok := ch.(Aborter)
	if !ok {
		return ErrUnsupported
	}
	return a.Abort()
}
