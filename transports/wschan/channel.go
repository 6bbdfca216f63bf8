package wschan

import (
	"net"
	"time"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// Channel is a transport.Channel over one WebSocket connection.
type Channel struct {
	*pump.Channel
	tcp *net.TCPConn // nil if unknown
}

var _ transport.Channel = (*Channel)(nil)

// RemoteAddr returns the address of the peer, or of the proxy before it; nil
// if it is not known, as with [New].
func (c *Channel) RemoteAddr() net.Addr {
	if c.tcp == nil {
		return nil
	}
	return c.tcp.RemoteAddr()
}

// New makes a channel of a connection that the application has dialled or
// accepted. The channel owns the connection; nobody else may read from it or
// write to it. Compression must be off, which is the library's default.
//
// Prefer [Dial] and [Accept], which know more of the connection: see
// Peculiarities in the package comment. Options.Label is for the application's
// own use here.
//
// It returns ErrLabel.
func New(conn *websocket.Conn, o *Options) (*Channel, error) {
	return Over(conn, closeCode, o)
}

func closeCode(err error) int { return int(websocket.CloseStatus(err)) }

// Over is New for any library of the same shape. closeCode returns the code of
// the close frame in an error of Reader, -1 if there is none.
func Over[M ~int](conn Conn[M], closeCode func(error) int, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return newChannel(&carrier[M]{conn: conn, code: closeCode}, opts), nil
}

func newChannel[M ~int](c *carrier[M], opts Options) *Channel {
	c.limit = opts.MaxMessageSize
	c.conn.SetReadLimit(-1) // ReadMessage keeps the limit
	var deadPeer time.Duration
	if c.tcp != nil {
		tune(c.tcp)
		c.unwatch, deadPeer = watch(c.tcp, c.vanished)
	}
	return &Channel{pump.New(c, opts.config(deadPeer)), c.tcp}
}

// owned makes a channel of a connection that this package has made, with all
// that is known about it.
func owned(conn *websocket.Conn, socket net.Conn, s *stream, p *pongs, opts Options) *Channel {
	s.records = recordsOf(socket)
	p.write = func(payload []byte) error { return conn.Write(forever, opPong, payload) }
	return newChannel(&carrier[websocket.MessageType]{
		conn: conn, code: closeCode, pongs: p, stream: s, tcp: tcpOf(socket),
	}, opts)
}
