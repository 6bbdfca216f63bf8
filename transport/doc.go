// Package transport is the contract between large binary payloads and whatever
// carries them: a channel of whole messages with a state, a count of what is
// buffered, and an end. It is the shape that a browser's RTCDataChannel and
// WebSocket share, with receiving pulled instead of called back.
//
// Senders need [MessageChannel] alone. Adapters (the packages under
// transports/) implement [Channel], and whatever of [Drainer], [Describer],
// [WriteCloser] and [Aborter] they can; callers use the helpers [Drain],
// [PropertiesOf], [CloseWrite] and [Abort], which work on every channel.
//
// # The rules
//
// Package transporttest checks each of them on any implementation.
//
//	R1  State. The state moves forward only: connecting, open, closing, closed.
//	    It is a hint; only the error of Send decides.
//	R2  Send. Send queues the whole message or nothing of it, and does not wait
//	    for the network. A refused message leaves the channel and its
//	    BufferedAmount as they were.
//	R3  Ownership. Send neither changes nor keeps the caller's bytes. Received
//	    bytes belong to the receiver until the next Receive.
//	R4  Messages. A message arrives as it was sent: its bounds, its bytes, empty
//	    or not, text or binary, and never twice. On a reliable channel every
//	    message arrives.
//	R5  Text. Text that is not UTF-8 is refused with ErrInvalidText.
//	R6  Size. Messages up to Properties.MaxMessageSize, at least 65,535 bytes,
//	    are carried. One byte more is refused with ErrTooLarge.
//	R7  Buffered amount. It rises by the payload length with each Send, falls as
//	    the layer below releases, is never negative, ignores empty and refused
//	    messages, and is 0 when the channel is idle.
//	R8  Order. On an ordered channel messages arrive in the order in which Send
//	    accepted them.
//	R9  Concurrency. Every method may be called at any time by any goroutine,
//	    except that one goroutine at a time calls Receive.
//	R10 Receive. A done context ends Receive and nothing else: no message is
//	    lost and the channel lives. A message that arrives before anybody
//	    receives is kept.
//	R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever
//	    happened before it was called, ctx.Err() when its context is done, and
//	    ErrClosed once the channel is closing.
//	R12 End. After the peer closed gracefully, Receive returns everything the
//	    peer sent, then io.EOF, again and again. Send then answers ErrClosed.
//	R13 Close. Close delivers what Send accepted as long as the peer keeps
//	    reading, wakes Receive and Drain with ErrClosed, may be called twice
//	    and from anywhere, and leaves no goroutine behind.
//	R14 Death. When the peer dies or the carrier is cut, Receive returns what
//	    had arrived, then an error matching ErrAborted; Send and Drain answer
//	    ErrClosed; the state becomes closed. None of them waits for ever.
//	R15 Backpressure. A reader that does not read bounds the memory of both
//	    sides: the receiver holds at most Properties.ReceiveBuffer, the sender
//	    is told ErrBufferFull at Properties.MaxBuffered. When reading resumes
//	    the flow is back within two seconds.
//	R16 Half-close. Where Properties.HalfClose is declared, CloseWrite ends one
//	    direction and leaves the other open; elsewhere it is refused with
//	    ErrUnsupported and changes nothing.
package transport
