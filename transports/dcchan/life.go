package dcchan

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
)

// watchEvery is how often a channel looks at its connection. pion tells the
// PeerConnection when it fails, on handlers that have one place each and belong
// to the application; it does not tell the data channel, which stays open.
const watchEvery = 250 * time.Millisecond

// errorGrace is how long the handler of the end waits for that of the error,
// which pion starts just before, each in a goroutine of its own.
const errorGrace = 100 * time.Millisecond

// Why a connection is of no use any more.
var (
	errICEFailed   = errors.New("dcchan: ICE failed")
	errICESilent   = fmt.Errorf("dcchan: ICE disconnected: %w", transport.ErrPeerGone)
	errEnded       = errors.New("dcchan: the connection has ended")
	errAssociation = errors.New("dcchan: the SCTP association has ended")
	errFlood       = errors.New("dcchan: too many tiny messages left unread")
)

// associated says whether the channel's SCTP association is up. pion keeps
// that from SCTPTransport.State.
func (c *Channel) associated() bool {
	t := c.dc.Transport()
	if t == nil {
		return false
	}
	_, up := t.Metadata()
	return up
}

// trouble says what is wrong with the connection, and for how long it may be so.
func (c *Channel) trouble() (grace time.Duration, err error) {
	t := c.dc.Transport()
	if t == nil || c.dc.ReadyState() == webrtc.DataChannelStateConnecting {
		return 0, c.stillborn()
	}
	dtls := t.Transport()
	switch dtls.State() {
	case webrtc.DTLSTransportStateFailed, webrtc.DTLSTransportStateClosed:
		return watchEvery, errEnded
	default:
	}
	switch dtls.ICETransport().State() {
	case webrtc.ICETransportStateFailed:
		return 0, errICEFailed
	case webrtc.ICETransportStateClosed:
		return watchEvery, errEnded
	case webrtc.ICETransportStateDisconnected:
		return disconnectedGrace, errICESilent
	default:
	}
	if _, up := t.Metadata(); !up {
		return watchEvery, errAssociation
	}
	return 0, nil
}

// stillborn says why a connecting channel will never open.
func (c *Channel) stillborn() error {
	pc := c.opts.PeerConnection
	switch {
	case c.dc.ReadyState() == webrtc.DataChannelStateClosed:
		return errEnded
	case pc == nil:
		return nil
	case pc.ConnectionState() == webrtc.PeerConnectionStateFailed:
		return errICEFailed
	case pc.ConnectionState() == webrtc.PeerConnectionStateClosed:
		return errEnded
	default:
		return nil
	}
}

// look runs every watchEvery until the channel has ended.
func (c *Channel) look() {
	grace, err := c.trouble()
	now := time.Now()

	c.mu.Lock()
	c.wakeDrained()
	if err == nil {
		c.troubled = time.Time{}
	} else if c.troubled.IsZero() {
		c.troubled = now
	}
	dying := err != nil && c.cause == nil && now.Sub(c.troubled) >= grace
	c.mu.Unlock()

	if dying {
		c.die(err)
		if c.conn != nil {
			c.conn.kill()
		}
	}
	if !c.settled() {
		c.watch.Reset(watchEvery)
	}
}

// settled says that there is nothing more to look at. It has Receive end once a
// channel has died and pion's reader, which does not notice, has stood still
// since the last look with nothing in its hands.
func (c *Channel) settled() bool {
	if isClosed(c.readEnd) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return isClosed(c.over)
	}
	arrived := c.arrived.Load()
	if c.putting.Load() > 0 || arrived != c.calm {
		c.calm = arrived
		return false
	}
	c.in.Finish(transport.Aborted(c.cause))
	return true
}

// readerEnded is pion's callback: its reader has stopped, after everything that
// had arrived. Without an error it has seen the peer's end of the stream.
func (c *Channel) readerEnded() {
	var err error
	select {
	case err = <-c.errored:
	default:
		if !c.associated() {
			err = c.lateError()
		}
	}
	if err != nil {
		c.die(err)
	}
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	byPeer := cause == nil && !c.begun.Load()
	if byPeer {
		c.peerEnded.Store(true)
		c.seal(transport.ErrClosed, transport.StateClosed)
	}
	if cause != nil {
		c.in.Finish(transport.Aborted(cause))
	} else {
		c.in.Finish(io.EOF)
	}
	close(c.readEnd)
	if c.conn != nil {
		c.conn.read(c)
	}
	if byPeer {
		c.leave(passiveLinger)
	}
}

// lateError waits for the error of a reader that ended with its association.
// Once Close has begun pion keeps the error to itself.
func (c *Channel) lateError() error {
	timer := time.NewTimer(errorGrace)
	defer timer.Stop()
	select {
	case err := <-c.errored:
		return err
	case <-timer.C:
	}
	if c.begun.Load() {
		return errAssociation
	}
	return nil
}

// die ends the channel because of cause, unless it has ended already.
func (c *Channel) die(cause error) {
	c.mu.Lock()
	if c.cause == nil && !isClosed(c.over) {
		c.cause = cause
	}
	c.mu.Unlock()
	c.seal(transport.Closed(transport.Aborted(cause)), transport.StateClosed)
	c.leave(0)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// awaitReader waits until pion's reader has ended, if it ever began.
func (c *Channel) awaitReader() {
	select {
	case <-c.readEnd:
	case <-c.over:
		if c.dc.Transport() != nil && c.opened.Load() {
			<-c.readEnd
		}
	}
}
