package dcchan

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

// Channel is a transport.Channel over one WebRTC data channel.
type Channel struct {
	dc   *webrtc.DataChannel
	opts Options
	in   *pump.Inbox
	conn *Conn // nil if the application owns the connection

	state   atomic.Int32
	putting atomic.Int32  // messages waiting for room in the inbox
	arrived atomic.Uint64 // messages received

	recent   atomic.Int64  // the last BufferedAmount and what was sent since
	recentAt atomic.Int64  // when that was
	readEnd  chan struct{} // pion's reader has ended
	over     chan struct{} // the state is closed
	errored  chan error    // capacity 1: why pion's reader ended

	opened    atomic.Bool // seen open by its Conn
	begun     atomic.Bool // a local Close or Abort has begun
	closing   sync.Once
	closeErr  error // set inside closing
	left      sync.Once
	peerEnded atomic.Bool // the peer closed first

	mu       sync.Mutex // guards the fields below
	admitted int        // the amount that admit has seen last
	limit    int        // 0 until the first Send on the open channel
	sent     ledger
	sealed   error // what Send answers once no more is accepted
	cause    error // why the channel died, if it did
	waiters  []*waiter
	watch    *time.Timer
	calm     uint64 // arrived at the last look at a dead channel

	troubled  time.Time // when the trouble with the connection was first seen
	onRelease func()    // runs at the end of the first Close or Abort, may be nil
}

var (
	_ transport.Channel   = (*Channel)(nil)
	_ transport.Drainer   = (*Channel)(nil)
	_ transport.Describer = (*Channel)(nil)
	_ transport.Aborter   = (*Channel)(nil)
)

// New makes a channel of a data channel in any state; one that is connecting
// becomes open with it. On the accepting side call it inside OnDataChannel, or
// the first messages are lost. The channel owns dc, but not its connection,
// which must outlive Close on both sides.
//
// New takes dc's handlers OnMessage, OnError, OnClose and OnBufferedAmountLow;
// OnOpen, OnDial and everything of the PeerConnection remain the application's.
// Nobody else may send on dc. dc must not be detached.
func New(dc *webrtc.DataChannel, o *Options) (*Channel, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return newChannel(dc, nil, opts), nil
}

func newChannel(dc *webrtc.DataChannel, conn *Conn, opts Options) *Channel {
	c := &Channel{
		dc:      dc,
		conn:    conn,
		opts:    opts,
		in:      pump.NewInbox(),
		readEnd: make(chan struct{}),
		over:    make(chan struct{}),
		errored: make(chan error, 1),
	}
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		c.putting.Add(1)
		if !c.in.Put(m.Data, m.IsString) {
			go c.die(errFlood) // which waits for this callback
		}
		c.arrived.Add(1)
		c.putting.Add(-1)
	})
	dc.OnError(func(err error) { c.errored <- err })
	dc.OnBufferedAmountLow(c.low)
	c.mu.Lock()
	c.watch = time.AfterFunc(watchEvery, c.look)
	c.mu.Unlock()
	dc.OnClose(c.readerEnded)
	return c
}

// ReadyState implements transport.MessageChannel.
func (c *Channel) ReadyState() transport.State {
	switch c.dc.ReadyState() {
	case webrtc.DataChannelStateOpen:
		c.advance(transport.StateOpen)
	case webrtc.DataChannelStateClosing, webrtc.DataChannelStateClosed:
		c.advance(transport.StateClosing)
	default:
	}
	return transport.State(c.state.Load())
}

// advance moves the state forward, never back.
func (c *Channel) advance(to transport.State) {
	for {
		now := c.state.Load()
		if now >= int32(to) {
			return
		}
		if c.state.CompareAndSwap(now, int32(to)) {
			if to == transport.StateClosed {
				close(c.over)
			}
			return
		}
	}
}

// DataChannel returns what the channel is made of, for its id, protocol and
// transport. Sending, closing and the handlers that New takes are not the
// caller's.
func (c *Channel) DataChannel() *webrtc.DataChannel { return c.dc }

// Properties implements transport.Describer. MaxMessageSize is known once the
// channel is open; before, it is the transport.MessageSizeFloor.
func (c *Channel) Properties() transport.Properties {
	c.mu.Lock()
	limit := c.maxMessageSize()
	c.mu.Unlock()
	if limit == 0 {
		limit = transport.MessageSizeFloor
	}
	return transport.Properties{
		Label:          c.dc.Label(),
		MaxMessageSize: limit,
		MaxBuffered:    c.opts.MaxBuffered,
		ReceiveBuffer:  ReceiveBuffer + pump.InboxSize + c.opts.MaxMessageSize,
		Ordered:        c.dc.Ordered(),
		Reliable:       c.dc.MaxRetransmits() == nil && c.dc.MaxPacketLifeTime() == nil,
		Buffered:       transport.ReleaseAcknowledged,
		DeadPeer:       deadPeer,
	}
}

// maxMessageSize is 0 as long as the peer's limit is unknown. The caller holds
// the lock.
func (c *Channel) maxMessageSize() int {
	if c.limit == 0 && c.dc.ReadyState() == webrtc.DataChannelStateOpen {
		if peer := c.dc.Transport().GetCapabilities().MaxMessageSize; peer > 0 {
			c.limit = min(int(peer), c.opts.MaxMessageSize)
		}
	}
	return c.limit
}

// Send implements transport.MessageChannel.
func (c *Channel) Send(msg []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(len(msg)); err != nil {
		return err
	}
	return c.book(len(msg), c.dc.Send(msg))
}

// SendText implements transport.Channel.
func (c *Channel) SendText(msg string) error {
	if !utf8.ValidString(msg) {
		return transport.ErrInvalidText
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(len(msg)); err != nil {
		return err
	}
	return c.book(len(msg), c.dc.SendText(msg))
}

// Receive implements transport.Channel.
func (c *Channel) Receive(ctx context.Context) (transport.Message, error) { return c.in.Receive(ctx) }

// Conn returns the connection, on which either side may open more channels; nil
// if the channel was made by New.
func (c *Channel) Conn() *Conn { return c.conn }
