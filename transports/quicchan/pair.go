package quicchan

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

// Pair returns two connected channels over loopback: a has dialled, b was
// accepted. Closing both releases everything.
func Pair(ctx context.Context) (a, b transport.Channel, err error) {
	as, bs, err := pairs(ctx, 1, plainSocket)
	if err != nil {
		return nil, nil, err
	}
	return as[0], bs[0], nil
}

// ManyPair returns n pairs over one connection. Closing all of them releases
// everything.
func ManyPair(ctx context.Context, n int) (as, bs []transport.Channel, err error) {
	return pairs(ctx, n, plainSocket)
}

// CutPair is Pair over a network that cut makes a black hole: from then on not
// a byte passes either way, and nobody is told.
func CutPair(ctx context.Context) (a, b transport.Channel, cut func(), err error) {
	var severed atomic.Bool
	as, bs, err := pairs(ctx, 1, func(socket *net.UDPConn) net.PacketConn {
		return &cuttable{UDPConn: socket, severed: &severed}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return as[0], bs[0], func() { severed.Store(true) }, nil
}

func plainSocket(socket *net.UDPConn) net.PacketConn { return socket }

// cuttable is a socket that drops what it is to send once severed.
type cuttable struct {
	*net.UDPConn
	severed *atomic.Bool
}

func (c *cuttable) WriteTo(b []byte, addr net.Addr) (int, error) {
	if c.severed.Load() {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, addr)
}

func (c *cuttable) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if c.severed.Load() {
		return len(b), len(oob), nil
	}
	return c.UDPConn.WriteMsgUDP(b, oob, addr)
}

// pairs opens n channels over one connection, which ends with the last of them.
func pairs(ctx context.Context, n int, wrap func(*net.UDPConn) net.PacketConn) (as, bs []transport.Channel, err error) {
	socket, err := loopback()
	if err != nil {
		return nil, nil, err
	}
	l, err := listenOver(wrap(socket), &Options{MaxStreams: n})
	if err != nil {
		return nil, nil, err
	}
	// The socket stays for as long as the channels accepted.
	defer l.Close()
	defer func() {
		if err != nil {
			for _, ch := range append(as, bs...) {
				transport.Abort(ch)
			}
		}
	}()

	if socket, err = loopback(); err != nil {
		return nil, nil, err
	}
	opts, err := (&Options{}).withDefaults()
	if err != nil {
		return nil, nil, err
	}
	opts = opts.owned()
	config, err := pinned.Client(l.Pin())
	if err != nil {
		return nil, nil, err
	}
	addr := l.Addr().(*net.UDPAddr)
	conn, closeConn, err := dialOver(ctx, wrap(socket), []*net.UDPAddr{addr}, withALPN(config), opts)
	if err != nil {
		return nil, nil, err
	}
	var left atomic.Int64
	left.Store(int64(n))
	for range n {
		stream, err := conn.OpenStreamSync(ctx)
		if err != nil {
			closeConn(codeAborted)
			return as, bs, fmt.Errorf("quicchan: open a stream: %w", located(err))
		}
		a, err := newChannel(&carrier{stream: stream, release: func(code quic.ApplicationErrorCode) {
			if left.Add(-1) == 0 {
				closeConn(code)
			}
		}}, conn, opts)
		if err != nil {
			closeConn(codeAborted)
			return as, bs, err
		}
		b, err := l.Accept(ctx)
		if err != nil {
			closeConn(codeAborted)
			return append(as, a), bs, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	return as, bs, nil
}

func loopback() (*net.UDPConn, error) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("quicchan: pair: %w", err)
	}
	return socket, nil
}
