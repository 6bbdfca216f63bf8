package pump

import (
	"errors"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// Carrier moves whole messages over one connection. Pump calls WriteMessage
// and WriteEnd from one goroutine and ReadMessage from another; both may block
// for as long as the connection's flow control says. Close may be called
// beside either and must make both return.
type Carrier interface {
	// WriteMessage writes one message. Its payload is buf[headroom:], and
	// buf[:headroom] is the carrier's to fill, so that header and payload
	// leave in one write. buf is valid until WriteMessage returns. An error
	// is final; after one that matches transport.ErrPeerGone the reader is not
	// given time to find the peer's last words.
	WriteMessage(buf []byte, text bool) error

	// ReadMessage appends the next message's payload to buf, which is empty
	// and usually has the capacity, and returns the result. At the peer's
	// end mark it returns io.EOF: the peer has closed and will send and read
	// nothing more. At the peer's half-close mark it returns ErrHalfClosed
	// and is called again. Any other error means that the connection is dead;
	// io.EOF must never stand for a connection that merely broke.
	ReadMessage(buf []byte) (msg []byte, text bool, err error)

	// WriteEnd writes the end mark. It is the last write. The side that
	// closes first writes its mark and waits for the peer's, which answers
	// with its own as soon as it has read it: so a mark that comes back says
	// that everything before ours has arrived.
	WriteEnd() error

	// Close releases the connection; it is called exactly once. With a nil
	// cause both end marks have been written and read, and Close may take
	// the time, bounded, that a tidy goodbye needs. Otherwise the channel died of
	// cause, or was aborted: everything in flight may be dropped, and the
	// peer should learn of it if the connection has a way to say so.
	Close(cause error)
}

// HalfCloser is implemented by carriers that can mark the end of one direction
// while the other goes on. Such adapters declare Properties.HalfClose.
type HalfCloser interface {
	WriteHalfEnd() error
}

// Progresser is implemented by carriers that can see their peer at work after
// WriteMessage has returned: the value rises as the peer takes what was
// written. Close asks for it, so that a slow reader of what
// the carrier still holds does not look like none.
type Progresser interface {
	Progress() int
}

// ErrHalfClosed is what Carrier.ReadMessage returns at the peer's half-close
// mark.
var ErrHalfClosed = errors.New("pump: peer half-closed")

// Config describes the channel that [New] makes.
type Config struct {
	// Properties are what the channel declares; MaxMessageSize must be set.
	// MaxBuffered bounds the queue; 0 means DefaultMaxBuffered.
	// ReceiveBuffer is what the carrier holds for a slow reader; pump adds
	// its inbox.
	Properties transport.Properties

	// Headroom is the number of bytes the carrier wants in front of each
	// payload for its own header.
	Headroom int

	// CloseTimeout is how long Close waits without any progress before it
	// gives up on the peer; 0 means DefaultCloseTimeout.
	CloseTimeout time.Duration
}

// Defaults of Config.
const (
	DefaultMaxBuffered  = 16 << 20 // bytes
	DefaultCloseTimeout = 10 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Properties.MaxBuffered == 0 {
		c.Properties.MaxBuffered = DefaultMaxBuffered
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = DefaultCloseTimeout
	}
	c.Properties.ReceiveBuffer += InboxSize + c.Properties.MaxMessageSize
	return c
}
