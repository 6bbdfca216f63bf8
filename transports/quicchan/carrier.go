package quicchan

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport/pump"
)

// linger is how long the side that answered an end mark waits to hear that its
// answer has arrived.
const linger = 2 * time.Second

// noticeInterval is how often a reader at work says so: often enough for the
// close timeout of anybody who waits for it.
const noticeInterval = 500 * time.Millisecond

// writeStep is what is written at once, so that a message that takes long on a
// slow link shows progress.
const writeStep = 64 << 10

// firstRead is what is allocated for a message that does not fit the buffer,
// before any of it has arrived.
const firstRead = 64 << 10

// carrier moves frames over one bidirectional stream.
type carrier struct {
	stream *quic.Stream
	limit  int // bytes a message

	writing sync.Mutex  // held while a frame is being written
	ending  atomic.Bool // set before the end mark is written

	// moved counts the steps written, and the peer's notices.
	moved atomic.Int64

	// peerLabel is set once the peer's preamble has been read.
	peerLabel atomic.Pointer[string]

	// release, if not nil, gives up the connection; the code is for the peer.
	release func(code quic.ApplicationErrorCode)

	// The reader's.
	header  [frameHeaderSize]byte
	halved  bool      // the peer's half-end has been read
	noticed time.Time // when the last notice was sent, or the first message read
}

var (
	_ pump.Carrier    = (*carrier)(nil)
	_ pump.HalfCloser = (*carrier)(nil)
	_ pump.Progresser = (*carrier)(nil)
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
	c.writing.Lock()
	defer c.writing.Unlock()
	for step := range slices.Chunk(buf, writeStep) {
		if _, err := c.stream.Write(step); err != nil {
			return located(err)
		}
		c.moved.Add(1)
	}
	return nil
}

func (c *carrier) writeMark(kind byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
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

// notice tells the peer, now and then and only if nothing is in the way, that
// what it sent is being read. QUIC does not: its own windows hide a reader who
// takes minutes over what the sender has long got rid of.
func (c *carrier) notice() {
	now := time.Now()
	if c.noticed.IsZero() {
		c.noticed = now
	}
	if now.Sub(c.noticed) < noticeInterval || !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	if c.ending.Load() {
		return
	}
	var mark [frameHeaderSize]byte
	putFrameHeader(mark[:], kindNotice, 0)
	if c.stream.TryWriteAll(mark[:]) == nil {
		c.noticed = now
	}
}

// Progress implements pump.Progresser: it changes while a message is being
// written, and while the peer reads.
func (c *carrier) Progress() int { return int(c.moved.Load()) }

func (c *carrier) ReadMessage(buf []byte) ([]byte, bool, error) {
	if c.peerLabel.Load() == nil {
		if err := c.meet(); err != nil {
			return nil, false, c.readError(err)
		}
	}
	c.notice() // there is room: the message before has been taken
	kind, length, err := c.nextHeader()
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

// nextHeader reads up to the next frame that is not a notice.
func (c *carrier) nextHeader() (kind byte, length int, err error) {
	for {
		if _, err := io.ReadFull(c.stream, c.header[:]); err != nil {
			return 0, 0, c.readError(err)
		}
		kind, length, err = parseFrameHeader(c.header[:], c.limit)
		if err != nil || kind != kindNotice {
			return kind, length, err
		}
		c.moved.Add(1)
	}
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
		_, _ = c.stream.Read(none[:]) // EOF, the connection's close, or nothing any more
	} else {
		c.stream.CancelWrite(quic.StreamErrorCode(code))
	}
	c.stream.CancelRead(quic.StreamErrorCode(code))
	if c.release != nil {
		c.release(quic.ApplicationErrorCode(code))
	}
}
