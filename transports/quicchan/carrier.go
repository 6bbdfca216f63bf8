package quicchan

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport/pump"
)

// linger is how long the side that answered an end mark waits to hear that its
// answer has arrived.
const linger = 2 * time.Second

// firstRead is what is allocated for a message that does not fit the buffer,
// before any of it has arrived.
const firstRead = 64 << 10

// carrier moves frames over one bidirectional stream.
type carrier struct {
	stream *quic.Stream
	limit  int // bytes a message

	// ending is set before the end mark is written.
	ending atomic.Bool

	// peerLabel is set once the peer's preamble has been read.
	peerLabel atomic.Pointer[string]

	// release, if not nil, gives up the connection; the code is for the peer.
	release func(code quic.ApplicationErrorCode)

	// The reader's.
	header [frameHeaderSize]byte
	halved bool // the peer's half-end has been read
}

var (
	_ pump.Carrier    = (*carrier)(nil)
	_ pump.HalfCloser = (*carrier)(nil)
)

// greet writes our preamble, so that the stream becomes visible to the peer.
func (c *carrier) greet(label string) error {
	_, err := c.stream.Write(appendPreamble(nil, label))
	if err != nil {
		return fmt.Errorf("quicchan: write the preamble: %w", located(err))
	}
	return nil
}

// meet reads the peer's preamble.
func (c *carrier) meet() error {
	label, err := readPreamble(c.stream)
	if err != nil {
		return err
	}
	c.peerLabel.Store(&label)
	return nil
}

func (c *carrier) WriteMessage(buf []byte, text bool) error {
	kind := byte(kindBinary)
	if text {
		kind = kindText
	}
	putFrameHeader(buf, kind, len(buf)-frameHeaderSize)
	_, err := c.stream.Write(buf)
	return located(err)
}

func (c *carrier) writeMark(kind byte) error {
	var mark [frameHeaderSize]byte
	putFrameHeader(mark[:], kind, 0)
	_, err := c.stream.Write(mark[:])
	return located(err)
}

func (c *carrier) WriteHalfEnd() error { return c.writeMark(kindHalfEnd) }

func (c *carrier) WriteEnd() error {
	c.ending.Store(true)
	return c.writeMark(kindEnd)
}

func (c *carrier) ReadMessage(buf []byte) ([]byte, bool, error) {
	if c.peerLabel.Load() == nil {
		if err := c.meet(); err != nil {
			return nil, false, c.readError(err)
		}
	}
	if _, err := io.ReadFull(c.stream, c.header[:]); err != nil {
		return nil, false, c.readError(err)
	}
	kind, length, err := parseFrameHeader(c.header[:], c.limit)
	switch {
	case err != nil:
		return nil, false, err
	case kind == kindEnd:
		return nil, false, io.EOF
	case c.halved:
		return nil, false, fmt.Errorf("%w: frame of kind %d after half-end", ErrProtocol, kind)
	case kind == kindHalfEnd:
		c.halved = true
		return nil, false, pump.ErrHalfClosed
	}
	for len(buf) < length {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(length-len(buf), max(len(buf), firstRead)))
		}
		have := len(buf)
		buf = buf[:min(cap(buf), length)]
		if _, err := io.ReadFull(c.stream, buf[have:]); err != nil {
			return nil, false, c.readError(err)
		}
	}
	return buf, kind == kindText, nil
}

// readError reads the peer's connection close as its end mark where it can
// stand for it: a peer closes with codeDone only after it has read our end
// mark, and we have stopped listening when we wrote that.
func (c *carrier) readError(err error) error {
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok &&
		e.Remote && e.ErrorCode == codeDone && c.ending.Load() {
		return io.EOF
	}
	return truncated(err)
}

// Close says goodbye. Ours is FIN after the peer's end mark, so a FIN that
// arrives says that our own end mark has: from then on nothing can be lost by
// closing the connection.
func (c *carrier) Close(cause error) {
	code := codeOf(cause)
	if cause == nil {
		c.stream.Close()
		c.stream.SetReadDeadline(time.Now().Add(linger))
		var none [1]byte
		c.stream.Read(none[:]) // EOF, the connection's close, or nothing any more
	} else {
		c.stream.CancelWrite(quic.StreamErrorCode(code))
	}
	c.stream.CancelRead(quic.StreamErrorCode(code))
	if c.release != nil {
		c.release(quic.ApplicationErrorCode(code))
	}
}
