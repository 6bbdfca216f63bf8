package dcchan

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/transport"
)

// loopback is where pairs live; no other interface is used.
const loopback = "127.0.0.1:0"

// Pair connects two channels over the loopback interface, through HTTP
// signalling, ICE, DTLS and SCTP: a has dialled, b was accepted. Closing both
// releases everything.
func Pair(ctx context.Context) (a, b transport.Channel, err error) {
	as, bs, err := pair(ctx, 1, nil)
	if err != nil {
		return nil, nil, err
	}
	return as[0], bs[0], nil
}

// CutPair is Pair with a carrier that can be black-holed: after cut not a packet
// passes either way, and nobody is told.
func CutPair(ctx context.Context) (a, b transport.Channel, cut func(), err error) {
	var gone atomic.Bool
	as, bs, err := pair(ctx, 1, func(s net.PacketConn) net.PacketConn { return &wire{s, &gone} })
	if err != nil {
		return nil, nil, nil, err
	}
	return as[0], bs[0], func() { gone.Store(true) }, nil
}

// ManyPair is Pair with n channels over one connection. Closing all of them
// releases everything.
func ManyPair(ctx context.Context, n int) (as, bs []transport.Channel, err error) {
	return pair(ctx, n, nil)
}

// wire is a UDP socket that drops everything once it is cut.
type wire struct {
	net.PacketConn
	gone *atomic.Bool
}

func (w *wire) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := w.PacketConn.ReadFrom(p)
		if err != nil || !w.gone.Load() {
			return n, addr, err
		}
	}
}

func (w *wire) WriteTo(p []byte, addr net.Addr) (int, error) {
	if w.gone.Load() {
		return len(p), nil
	}
	return w.PacketConn.WriteTo(p, addr)
}

// pair opens n channels over one connection whose sockets wrap has seen, if it
// is not nil.
func pair(ctx context.Context, n int, wrap func(net.PacketConn) net.PacketConn) (as, bs []transport.Channel, err error) {
	dialling, listening := &Options{}, &Options{MaxChannels: max(n, DefaultMaxChannels)}
	for _, o := range []*Options{dialling, listening} {
		socket, err := net.ListenPacket("udp4", loopback)
		if err != nil {
			return nil, nil, err
		}
		if o.PacketConn = socket; wrap != nil {
			o.PacketConn = wrap(socket)
		}
	}
	l, err := Listen(loopback, listening)
	if err != nil {
		return nil, nil, errors.Join(err, dialling.PacketConn.Close(), listening.PacketConn.Close())
	}
	conn, err := connect(ctx, l.URL(), dialling)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	var open atomic.Int32
	open.Store(int32(2 * n))
	release := func() {
		if open.Add(-1) == 0 {
			l.Close()
			<-conn.gone
		}
	}
	if as, bs, err = openPairs(ctx, conn, l, n, release); err != nil {
		conn.kill()
		<-conn.gone
		return nil, nil, errors.Join(err, l.Close())
	}
	conn.endWithLast()
	return as, bs, nil
}

// openPairs opens n channels at both ends, in the same order.
func openPairs(ctx context.Context, conn *Conn, l *Listener, n int, release func()) (as, bs []transport.Channel, err error) {
	as, bs = make([]transport.Channel, n), make([]transport.Channel, n)
	index := make(map[uint16]int, n) // by stream
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			c, err := conn.Open(ctx, "")
			if err != nil {
				errs[i] = err
				return
			}
			c.onRelease = release
			as[i] = c
			mu.Lock()
			index[*c.dc.ID()] = i
			mu.Unlock()
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	for range n {
		c, err := l.Accept(ctx)
		if err != nil {
			return nil, nil, err
		}
		c.onRelease = release
		bs[index[*c.dc.ID()]] = c
	}
	return as, bs, nil
}
