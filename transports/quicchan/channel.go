package quicchan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// ALPN is the application protocol that Dial and Listen negotiate.
const ALPN = "chunkferry/1"

// Channel is a transport.Channel over one bidirectional QUIC stream.
type Channel struct {
	*pump.Channel
	carrier *carrier
	conn    *quic.Conn
}

var _ transport.Channel = (*Channel)(nil)

// New makes a channel of a stream that the application has opened or accepted
// and not used yet; the peer does the same with its end. The channel owns the
// stream, not its connection, which must outlive Close on both sides.
//
// New does not wait for the peer. On the side that gives no Options.Label, the
// label is known once the peer's first bytes have arrived.
//
// It returns ErrLabel, or the stream's own error if it is not usable.
func New(stream *quic.Stream, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return newChannel(&carrier{stream: stream}, nil, opts)
}

func newChannel(c *carrier, conn *quic.Conn, opts Options) (*Channel, error) {
	c.limit = opts.MaxMessageSize
	if err := c.greet(opts.Label); err != nil {
		c.Close(err)
		return nil, err
	}
	return &Channel{Channel: pump.New(c, opts.config()), carrier: c, conn: conn}, nil
}

// Open opens a channel on a connection of the application's, or of Connect's.
// It waits, until ctx is done, only while the peer's limit of streams is
// reached. The connection must outlive Close on both sides.
func Open(ctx context.Context, conn *quic.Conn, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("quicchan: open a stream: %w", located(err))
	}
	return newChannel(&carrier{stream: stream}, conn, opts)
}

// Accept waits, until ctx is done, for the next channel that the peer opens on
// a connection of the application's. The channel takes the opener's label.
//
// A stream whose preamble is wrong is refused with an error matching
// [ErrProtocol], one whose preamble does not arrive within
// Options.HandshakeTimeout with [ErrSlowOpener]; the connection is unharmed and
// Accept may be called again. Any number of goroutines may call Accept, so that
// a slow opener holds up one of them only.
func Accept(ctx context.Context, conn *quic.Conn, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("quicchan: accept a stream: %w", located(err))
	}
	c := &carrier{stream: stream}
	if err := c.await(ctx, opts.HandshakeTimeout); err != nil {
		c.Close(err)
		return nil, err
	}
	return newChannel(c, conn, opts)
}

// await reads the peer's preamble, at most for timeout and until ctx is done.
func (c *carrier) await(ctx context.Context, timeout time.Duration) error {
	c.stream.SetReadDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { c.stream.SetReadDeadline(time.Unix(1, 0)) })
	err := c.meet()
	if !stop() {
		return context.Cause(ctx)
	}
	c.stream.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, transport.ErrPeerGone) {
		return fmt.Errorf("%w (%v)", ErrSlowOpener, timeout)
	}
	return err
}

// Properties implements transport.Describer.
func (c *Channel) Properties() transport.Properties {
	p := c.Channel.Properties()
	if label := c.carrier.peerLabel.Load(); p.Label == "" && label != nil {
		p.Label = *label
	}
	return p
}

// Conn returns the connection, for its addresses and statistics; nil if the
// channel was made by New. The connection of a dialled channel ends with it.
func (c *Channel) Conn() *quic.Conn { return c.conn }
