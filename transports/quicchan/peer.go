package quicchan

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// peer is a connection that a listener serves.
type peer struct {
	listener *Listener
	conn     *quic.Conn
	opening  sync.WaitGroup // openers being waited for

	channels int         // guarded by listener.mu: streams accepted and not ended
	idle     *time.Timer // runs while there are none
}

// welcome serves a new connection, if there is room.
func (l *Listener) welcome(conn *quic.Conn) {
	p := &peer{listener: l, conn: conn}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing:
		conn.CloseWithError(codeAborted, "listener closed")
	case len(l.peers) >= l.opts.MaxConnections:
		conn.CloseWithError(codeBusy, "too many connections")
	default:
		l.peers[p] = struct{}{}
		p.idle = time.AfterFunc(l.opts.IdleTimeout, p.expire)
		go p.serve()
	}
}

// serve waits for streams until the connection ends, which nothing but the
// connection's end can hold up.
func (p *peer) serve() {
	for {
		stream, err := p.conn.AcceptStream(context.Background())
		if err != nil {
			break
		}
		p.join()
		p.opening.Go(func() { p.offer(stream) })
	}
	p.idle.Stop()
	p.opening.Wait()

	l := p.listener
	l.mu.Lock()
	delete(l.peers, p)
	last := l.closing && len(l.peers) == 0
	l.mu.Unlock()
	if last {
		l.accepting.Wait()
		l.release()
	}
}

// offer reads the preamble and waits until somebody accepts the channel.
func (p *peer) offer(stream *quic.Stream) {
	l := p.listener
	c := &carrier{stream: stream, release: p.leave}
	if err := c.await(p.conn.Context(), l.opts.HandshakeTimeout); err != nil {
		c.Close(err)
		return
	}
	select {
	case l.offers <- offer{c, p.conn}:
	case <-l.closed:
		c.Close(ErrListenerClosed)
	case <-p.conn.Context().Done():
		c.Close(context.Cause(p.conn.Context()))
	}
}

func (p *peer) join() {
	p.listener.mu.Lock()
	defer p.listener.mu.Unlock()
	p.channels++
	p.idle.Stop()
}

// leave is called when a channel has ended. The last one takes the connection
// along if the listener has been closed.
func (p *peer) leave(code quic.ApplicationErrorCode) {
	l := p.listener
	l.mu.Lock()
	p.channels--
	empty, closing := p.channels == 0, l.closing
	l.mu.Unlock()
	switch {
	case empty && closing:
		p.conn.CloseWithError(code, "")
	case empty && p.conn.Context().Err() == nil:
		p.idle.Reset(l.opts.IdleTimeout)
	}
}

func (p *peer) expire() {
	p.listener.mu.Lock()
	empty := p.channels == 0
	p.listener.mu.Unlock()
	if empty {
		p.conn.CloseWithError(codeTimeout, "no channel")
	}
}
