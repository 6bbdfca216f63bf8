package wschan

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// Conn is what [Over] needs of a connection: methods that
// github.com/coder/websocket and its predecessor nhooyr.io/websocket have in
// common. M is the library's MessageType.
type Conn[M ~int] interface {
	Reader(ctx context.Context) (M, io.Reader, error)
	Write(ctx context.Context, typ M, p []byte) error
	SetReadLimit(n int64)
	CloseNow() error
}

// Opcodes of RFC 6455, section 11.8, which are also the libraries' message
// types. The libraries' own ways to send a close or a pong frame give up, and
// drop the connection, when the frame cannot be written within 5 seconds
// because the peer reads slowly; writing the frame like a message waits.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPong   = 0xA
)

// refusalTime is how long a refused peer has to read why, and to answer.
const refusalTime = time.Second

// forever is the context of every call of the library: a context that ended
// would take the connection with it.
var forever = context.Background()

// carrier implements pump.Carrier.
type carrier[M ~int] struct {
	conn   Conn[M]
	code   func(error) int // close code in the error of a read, -1 if none
	limit  int             // bytes of a message from the peer
	pongs  *pongs          // nil if the library writes them itself
	stream *stream         // nil if the connection was not made by this package
	tcp    *net.TCPConn    // nil if unknown

	unwatch func()
	gone    atomic.Bool // the peer has vanished
	refused atomic.Bool // the peer was told why the channel ends
}

var (
	_ pump.Carrier    = (*carrier[int])(nil)
	_ pump.Progresser = (*carrier[int])(nil)
)

func (c *carrier[M]) WriteMessage(buf []byte, text bool) error {
	typ := M(opBinary)
	if text {
		typ = opText
	}
	if c.stream != nil {
		c.stream.expect(buf)
	}
	err := c.conn.Write(forever, typ, buf[maxHeader:])
	if err != nil && c.gone.Load() {
		return transport.ErrPeerGone
	}
	return err
}

func (c *carrier[M]) ReadMessage(buf []byte) (msg []byte, text bool, err error) {
	if c.pongs != nil {
		c.pongs.reading()
	}
	typ, r, err := c.conn.Reader(forever)
	if err != nil {
		return nil, false, c.ending(err)
	}
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(max(len(buf), 512), c.limit+1-len(buf)))
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), c.limit+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > c.limit:
			c.refuse(codeTooBig, r)
			return nil, false, ErrOversize
		case err == io.EOF:
			if c.stream != nil && c.stream.broken() {
				// The library takes an end of the stream between two
				// reads for the end of the message.
				return nil, false, c.ending(io.ErrUnexpectedEOF)
			}
			if typ == opText && !utf8.Valid(buf) {
				c.refuse(codeNotUTF8, r)
				return nil, false, ErrText
			}
			return buf, typ == opText, nil
		case err != nil:
			return nil, false, c.ending(err)
		}
	}
}

func (c *carrier[M]) ending(err error) error {
	if c.gone.Load() {
		return transport.ErrPeerGone
	}
	return ending(err, c.code(err))
}

// WriteEnd sends the close frame. The peer's comes back through ReadMessage;
// when it was here first the library has answered it and closed the
// connection, which ReadMessage reports too.
func (c *carrier[M]) WriteEnd() error {
	if err := c.writeClose(codeNormal); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (c *carrier[M]) writeClose(code uint16) error {
	return c.conn.Write(forever, opClose, binary.BigEndian.AppendUint16(nil, code))
}

// refuse tells the peer why it is given up, and reads on for a while: closing
// a TCP connection with unread data would destroy the message.
func (c *carrier[M]) refuse(code uint16, rest io.Reader) {
	c.refused.Store(true)
	timer := time.AfterFunc(refusalTime, func() { c.conn.CloseNow() })
	defer timer.Stop()
	err := c.writeClose(code)
	for err == nil {
		if _, err = io.Copy(io.Discard, rest); err == nil {
			_, rest, err = c.conn.Reader(forever)
		}
	}
}

// Progress implements pump.Progresser. The window alone would not do: a
// kernel does not announce all the room that it has, so it can take a reader
// megabytes to move it.
func (c *carrier[M]) Progress() (n int) {
	if c.pongs != nil {
		n += int(c.pongs.signs.Load())
	}
	if c.tcp != nil {
		n += taken(c.tcp)
	}
	return n
}

// Close implements pump.Carrier. A peer that was not told otherwise learns of
// an unhappy end by a reset.
func (c *carrier[M]) Close(cause error) {
	if c.unwatch != nil {
		c.unwatch()
	}
	if cause != nil && !c.refused.Load() {
		reset(c.tcp)
	}
	c.conn.CloseNow()
	if c.pongs != nil {
		c.pongs.stop()
	}
}

// vanished is called when nothing has been heard from the peer's host.
func (c *carrier[M]) vanished() {
	c.gone.Store(true)
	reset(c.tcp)
}

func reset(tcp *net.TCPConn) {
	if tcp != nil {
		_ = tcp.SetLinger(0)
		tcp.Close()
	}
}
