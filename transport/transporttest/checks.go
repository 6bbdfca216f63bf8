package transporttest

import (
	"context"
)

// check is one entry of the table.
type check struct {
	index int
	name  string
	rule  string // number and words, from transport/doc.go
	run   func(ctx context.Context, e *env) error
	alone bool // runs while no other check does: it counts goroutines, bytes or seconds
	waits bool // waits for seconds and needs no processor meanwhile
}

// checks is the table, in the order of the rules. What a check verifies
// depends on what the channel declares; that it runs does not.
var checks = number([]*check{
	{name: "state-open", run: stateOpen,
		rule: "R1 State. The state moves forward only: connecting, open, closing, closed."},
	{name: "state-forward", run: stateForward,
		rule: "R1 State. The state moves forward only: connecting, open, closing, closed."},
	{name: "state-closed", run: stateClosed,
		rule: "R1 State. The state moves forward only: connecting, open, closing, closed."},

	{name: "send-does-not-wait", run: sendDoesNotWait,
		rule: "R2 Send. Send queues the whole message or nothing of it, and does not wait for the network."},
	{name: "send-whole-or-nothing", run: sendWholeOrNothing,
		rule: "R2 Send. A refused message leaves the channel and its BufferedAmount as they were."},

	{name: "send-copies", run: sendCopies,
		rule: "R3 Ownership. Send neither changes nor keeps the caller's bytes."},
	{name: "send-changes-nothing", run: sendChangesNothing,
		rule: "R3 Ownership. Send neither changes nor keeps the caller's bytes."},
	{name: "receive-owned", run: receiveOwned,
		rule: "R3 Ownership. Received bytes belong to the receiver until the next Receive."},
	{name: "receive-stable", run: receiveStable,
		rule: "R3 Ownership. Received bytes belong to the receiver until the next Receive."},

	{name: "bounds", run: bounds,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "fragment-edges", run: fragmentEdges,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "powers-of-two", run: powersOfTwo,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "empty-binary", run: emptyBinary,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "empty-text", run: emptyText,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "text-and-binary", run: textAndBinary,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "text-bytes", run: textBytes,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "binary-bytes", run: binaryBytes,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "never-twice", run: neverTwice,
		rule: "R4 Messages. A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice."},
	{name: "every-message", run: everyMessage,
		rule: "R4 Messages. On a reliable channel every message arrives."},
	{name: "many-channels", run: manyChannels,
		rule: "R4 Messages. On a reliable channel every message arrives."},

	{name: "text-invalid", run: textInvalid,
		rule: "R5 Text. Text that is not UTF-8 is refused with ErrInvalidText."},

	{name: "size-floor", run: sizeFloor,
		rule: "R6 Size. Messages up to Properties.MaxMessageSize, at least 65,535 bytes, are carried."},
	{name: "size-max", run: sizeMax,
		rule: "R6 Size. Messages up to Properties.MaxMessageSize, at least 65,535 bytes, are carried."},
	{name: "size-too-large", run: sizeTooLarge,
		rule: "R6 Size. One byte more is refused with ErrTooLarge."},

	{name: "amount-exact", run: amountExact,
		rule: "R7 Buffered amount. It rises by the payload length with each Send, falls as the layer below releases"},
	{name: "amount-range", run: amountRange,
		rule: "R7 Buffered amount. is never negative"},
	{name: "amount-empty", run: amountEmpty,
		rule: "R7 Buffered amount. ignores empty and refused messages"},
	{name: "amount-refused", run: amountRefused,
		rule: "R7 Buffered amount. ignores empty and refused messages"},
	{name: "amount-idle", run: amountIdle,
		rule: "R7 Buffered amount. is 0 when the channel is idle."},

	{name: "order", run: order,
		rule: "R8 Order. On an ordered channel messages arrive in the order in which Send accepted them."},

	{name: "many-senders", run: manySenders,
		rule: "R9 Concurrency. Every method may be called at any time by any goroutine"},
	{name: "methods-at-once", run: methodsAtOnce,
		rule: "R9 Concurrency. Every method may be called at any time by any goroutine"},
	{name: "both-directions", run: bothDirections,
		rule: "R9 Concurrency. Every method may be called at any time by any goroutine"},
	{name: "echo", run: echo,
		rule: "R9 Concurrency. Every method may be called at any time by any goroutine"},

	{name: "receive-cancel", run: receiveCancel,
		rule: "R10 Receive. A done context ends Receive and nothing else: no message is lost and the channel lives."},
	{name: "receive-cancel-race", run: receiveCancelRace,
		rule: "R10 Receive. A done context ends Receive and nothing else: no message is lost and the channel lives."},
	{name: "receive-done-context", run: receiveDoneContext,
		rule: "R10 Receive. A done context ends Receive and nothing else: no message is lost and the channel lives."},
	{name: "receive-late", run: receiveLate,
		rule: "R10 Receive. A message that arrives before anybody receives is kept."},

	{name: "drain-at-once", run: drainAtOnce,
		rule: "R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever happened before it was called"},
	{name: "drain-zero", run: drainZero,
		rule: "R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever happened before it was called"},
	{name: "drain-level", run: drainLevel,
		rule: "R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever happened before it was called"},
	{name: "drain-cycles", run: drainCycles,
		rule: "R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever happened before it was called"},
	{name: "drain-together", run: drainTogether,
		rule: "R11 Drain. Drain returns nil when BufferedAmount is at most low, whatever happened before it was called"},
	{name: "drain-cancel", run: drainCancel,
		rule: "R11 Drain. ctx.Err() when its context is done"},
	{name: "drain-closed", run: drainClosed,
		rule: "R11 Drain. ErrClosed once the channel is closing."},

	{name: "eof", run: eof,
		rule: "R12 End. After the peer closed gracefully, Receive returns everything the peer sent, then io.EOF"},
	{name: "eof-again", run: eofAgain,
		rule: "R12 End. then io.EOF, again and again."},
	{name: "eof-unread", run: eofUnread,
		rule: "R12 End. After the peer closed gracefully, Receive returns everything the peer sent, then io.EOF"},
	{name: "send-after-eof", run: sendAfterEOF,
		rule: "R12 End. Send then answers ErrClosed."},

	{name: "close-delivers", run: closeDelivers,
		rule: "R13 Close. Close delivers what Send accepted as long as the peer keeps reading"},
	{name: "close-undelivered", run: closeUndelivered, waits: true,
		rule: "R13 Close. Close delivers what Send accepted as long as the peer keeps reading"},
	{name: "close-never-looks-whole", run: closeNeverLooksWhole, waits: true,
		rule: "R12 End. After the peer closed gracefully, Receive returns everything the peer sent, then io.EOF"},
	{name: "close-wakes-receive", run: closeWakesReceive,
		rule: "R13 Close. wakes Receive and Drain with ErrClosed"},
	{name: "close-wakes-drain", run: closeWakesDrain, waits: true,
		rule: "R13 Close. wakes Receive and Drain with ErrClosed"},
	{name: "close-twice", run: closeTwice,
		rule: "R13 Close. may be called twice and from anywhere"},
	{name: "close-at-once", run: closeAtOnce,
		rule: "R13 Close. may be called twice and from anywhere"},
	{name: "close-both-sides", run: closeBothSides,
		rule: "R13 Close. may be called twice and from anywhere"},
	{name: "close-in-receive-loop", run: closeInReceiveLoop,
		rule: "R13 Close. may be called twice and from anywhere"},
	{name: "close-while-sending", run: closeWhileSending,
		rule: "R13 Close. Close delivers what Send accepted as long as the peer keeps reading"},
	{name: "send-after-close", run: sendAfterClose,
		rule: "R1 State. It is a hint; only the error of Send decides."},
	{name: "receive-after-close", run: receiveAfterClose,
		rule: "R13 Close. wakes Receive and Drain with ErrClosed"},
	{name: "leak-close", run: leakClose, alone: true,
		rule: "R13 Close. leaves no goroutine behind."},
	{name: "leak-peer-close", run: leakPeerClose, alone: true,
		rule: "R13 Close. leaves no goroutine behind."},
	{name: "leak-abort", run: leakAbort, alone: true,
		rule: "R13 Close. leaves no goroutine behind."},

	{name: "abort-peer", run: abortPeer,
		rule: "R14 Death. then an error matching ErrAborted; Send and Drain answer ErrClosed; the state becomes closed."},
	{name: "abort-arrived", run: abortArrived,
		rule: "R14 Death. Receive returns what had arrived"},
	{name: "abort-here", run: abortHere,
		rule: "R14 Death. None of them waits for ever."},
	{name: "cut-idle", run: cutIdle, waits: true,
		rule: "R14 Death. When the peer dies or the carrier is cut, Receive returns what had arrived, then an error matching ErrAborted"},
	{name: "cut-sending", run: cutSending, waits: true,
		rule: "R14 Death. Send and Drain answer ErrClosed; the state becomes closed."},
	{name: "cut-drain", run: cutDrain, waits: true,
		rule: "R14 Death. Send and Drain answer ErrClosed; the state becomes closed."},
	{name: "cut-arrived", run: cutArrived, waits: true,
		rule: "R14 Death. When the peer dies or the carrier is cut, Receive returns what had arrived, then an error matching ErrAborted"},
	{name: "cut-close", run: cutClose, waits: true,
		rule: "R14 Death. None of them waits for ever."},

	{name: "properties", run: declares,
		rule: "R15 Backpressure. the receiver holds at most Properties.ReceiveBuffer, the sender is told ErrBufferFull at Properties.MaxBuffered."},
	{name: "buffer-full", run: bufferFull,
		rule: "R15 Backpressure. the receiver holds at most Properties.ReceiveBuffer, the sender is told ErrBufferFull at Properties.MaxBuffered."},
	{name: "memory", run: memory, alone: true,
		rule: "R15 Backpressure. A reader that does not read bounds the memory of both sides"},
	{name: "memory-tiny-messages", run: memoryTinyMessages, alone: true,
		rule: "R15 Backpressure. A reader that does not read bounds the memory of both sides"},
	{name: "flow-resumes", run: flowResumes, alone: true,
		rule: "R15 Backpressure. When reading resumes the flow is back within two seconds."},
	{name: "slow-reader", run: slowReader,
		rule: "R15 Backpressure. A reader that does not read bounds the memory of both sides"},

	{name: "half-close", run: halfClose,
		rule: "R16 Half-close. Where Properties.HalfClose is declared, CloseWrite ends one direction and leaves the other open; elsewhere it is refused with ErrUnsupported and changes nothing."},
	{name: "half-close-both", run: halfCloseBoth,
		rule: "R16 Half-close. Where Properties.HalfClose is declared, CloseWrite ends one direction and leaves the other open; elsewhere it is refused with ErrUnsupported and changes nothing."},
})

func number(list []*check) []*check {
	for i, c := range list {
		c.index = i
	}
	return list
}
