package hub

import (
	"net"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/chunkferry/chunkferry/transports/udp"
)

// shared is a UDP socket that QUIC and WebRTC use together. Every QUIC packet
// has the bit 0x40 set in its first byte; STUN, DTLS, RTP's kin and TURN
// channels in the ranges that WebRTC uses have not (RFC 9443, section 3; RFC
// 9000, section 17: the fixed bit). quic-go reads in batches through ReadBatch,
// which keeps what is its own and hands the rest over; so QUIC loses none of
// its fast path, and WebRTC's packets cost one copy.
type shared struct {
	*udp.Conn
	rest *rest
}

const fixedBit = 0x40

func newShared(socket *net.UDPConn) *shared {
	conn := udp.New(socket)
	return &shared{
		Conn: conn,
		rest: &rest{
			conn:   conn,
			queue:  make(chan datagram, 2048),
			free:   make(chan []byte, 2048),
			closed: make(chan struct{}),
		},
	}
}

// ReadBatch is what quic-go calls instead of reading the socket.
func (s *shared) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	for {
		n, err := s.Conn.ReadBatch(ms, flags)
		if err != nil {
			return n, err
		}
		kept := 0
		for i := range ms[:n] {
			m := &ms[i]
			if m.N > 0 && m.Buffers[0][0]&fixedBit == 0 {
				s.rest.put(m.Buffers[0][:m.N], m.Addr)
				continue
			}
			if kept < i {
				// The caller's buffers stay at their places, so the
				// content moves.
				to := &ms[kept]
				copy(to.Buffers[0], m.Buffers[0][:m.N])
				copy(to.OOB, m.OOB[:m.NN])
				to.N, to.NN, to.Flags, to.Addr = m.N, m.NN, m.Flags, m.Addr
			}
			kept++
		}
		if kept > 0 {
			return kept, nil
		}
	}
}

// rest is the socket as WebRTC sees it: a net.PacketConn of the packets that
// are not QUIC's. Like a socket it drops what nobody reads in time.
type rest struct {
	conn   *udp.Conn
	queue  chan datagram
	free   chan []byte
	closed chan struct{}
	stop   sync.Once
}

type datagram struct {
	data []byte
	from net.Addr
}

func (r *rest) put(packet []byte, from net.Addr) {
	var buf []byte
	select {
	case buf = <-r.free:
	default:
		buf = make([]byte, 0, 2048)
	}
	select {
	case r.queue <- datagram{append(buf[:0], packet...), from}:
	default:
	}
}

func (r *rest) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case d := <-r.queue:
		n := copy(p, d.data)
		select {
		case r.free <- d.data:
		default:
		}
		return n, d.from, nil
	case <-r.closed:
		return 0, nil, net.ErrClosed
	}
}

func (r *rest) WriteTo(p []byte, to net.Addr) (int, error) { return r.conn.WriteTo(p, to) }

// Close ends reading; the socket is the hub's to close.
func (r *rest) Close() error {
	r.stop.Do(func() { close(r.closed) })
	return nil
}

func (r *rest) LocalAddr() net.Addr { return r.conn.LocalAddr() }

// Deadlines are not needed: WebRTC's reader ends with Close, and writing to a
// UDP socket does not block for long.

func (r *rest) SetDeadline(time.Time) error      { return nil }
func (r *rest) SetReadDeadline(time.Time) error  { return nil }
func (r *rest) SetWriteDeadline(time.Time) error { return nil }
