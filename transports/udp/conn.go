package udp

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
)

// maxPacket is what the largest UDP packet takes, in bytes, or the largest one
// that the kernel makes of many.
const maxPacket = 64 << 10

// Conn is a UDP socket that reads and writes in bulk. It keeps 64 KiB for
// reading and, once something was queued, up to 128 KiB for writing. All
// methods may be called concurrently.
//
// The methods of [net.UDPConn] that Conn does not define anew must not be used
// for reading: the kernel gives them many packets as one.
type Conn struct {
	*net.UDPConn
	out queue

	reading sync.Mutex // guards the fields below
	buf     []byte
	oob     [128]byte
	burst   burst
	peer    *net.UDPAddr // of the last burst that ReadBatch has seen
}

// burst is what remains of one read: packets of one peer, all of the same size
// except that the last may be smaller.
type burst struct {
	data []byte
	size int // of a packet
	oob  []byte
	from netip.AddrPort
}

// New makes a Conn of a socket, which it owns from then on.
func New(socket *net.UDPConn) *Conn {
	c := &Conn{UDPConn: socket}
	c.out.init(socket)
	receiveBursts(socket)
	return c
}

// Wrap returns New(socket) for the sockets of package net, and any other as it
// is: those of emulated networks, and those that somebody has wrapped already.
func Wrap(socket net.PacketConn) net.PacketConn {
	if s, ok := socket.(*net.UDPConn); ok {
		return New(s)
	}
	return socket
}

// next returns the next packet, which is valid until the call after it. Empty
// ones are left out. The caller holds c.reading.
func (c *Conn) next() ([]byte, error) {
	for len(c.burst.data) == 0 {
		if c.buf == nil {
			c.buf = make([]byte, maxPacket)
		}
		n, oobn, _, from, err := c.ReadMsgUDPAddrPort(c.buf, c.oob[:])
		if err != nil {
			return nil, err
		}
		c.burst = burst{data: c.buf[:n], size: n, oob: c.oob[:oobn], from: from}
		if size := segmentSize(c.burst.oob); size > 0 {
			c.burst.size = size
		}
	}
	b := &c.burst
	packet := b.data[:min(b.size, len(b.data))]
	b.data = b.data[len(packet):]
	return packet, nil
}

// ReadFromAddrPort reads one packet. What does not fit p is lost.
func (c *Conn) ReadFromAddrPort(p []byte) (int, netip.AddrPort, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	packet, err := c.next()
	return copy(p, packet), c.burst.from, err
}

// ReadFrom implements [net.PacketConn]. What does not fit p is lost.
func (c *Conn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDP(p)
	if err != nil {
		return 0, nil, err
	}
	return n, from, nil
}

// ReadFromUDP is ReadFrom with the address as it is.
func (c *Conn) ReadFromUDP(p []byte) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromAddrPort(p)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// Read is ReadFrom without the address.
func (c *Conn) Read(p []byte) (int, error) {
	n, _, err := c.ReadFromAddrPort(p)
	return n, err
}

// ReadMsgUDP reads one packet and what the kernel says about it. What does not
// fit is lost.
func (c *Conn) ReadMsgUDP(p, oob []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	packet, err := c.next()
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return copy(p, packet), copy(oob, c.burst.oob), 0, net.UDPAddrFromAddrPort(c.burst.from), nil
}

// ReadBatch waits for packets and reads as many as there are at hand, at most
// len(ms), each into the first of its buffers. quic-go calls it instead of
// reading the socket. Flags must be 0. Several messages may share one address,
// which must not be changed.
func (c *Conn) ReadBatch(ms []ipv4.Message, _ int) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for i := range ms {
		packet, err := c.next()
		if err != nil {
			return 0, err
		}
		if c.peer == nil || c.peer.AddrPort() != c.burst.from {
			c.peer = net.UDPAddrFromAddrPort(c.burst.from)
		}
		m := &ms[i]
		m.N, m.NN, m.Flags, m.Addr = copy(m.Buffers[0], packet), copy(m.OOB, c.burst.oob), 0, c.peer
		if len(c.burst.data) == 0 {
			return i + 1, nil
		}
	}
	return len(ms), nil
}

// WriteToAddrPort queues a packet, see the package comment. It waits while the
// queue is full. After Close it returns an error matching [net.ErrClosed].
func (c *Conn) WriteToAddrPort(p []byte, to netip.AddrPort) (int, error) {
	return c.out.write(p, to)
}

// WriteTo is WriteToAddrPort for [net.PacketConn].
func (c *Conn) WriteTo(p []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: net.InvalidAddrError("not a UDP address")}
	}
	return c.out.write(p, addr.AddrPort())
}

// WriteToUDP is WriteToAddrPort for other interfaces.
func (c *Conn) WriteToUDP(p []byte, to *net.UDPAddr) (int, error) {
	return c.out.write(p, to.AddrPort())
}

// Close writes what is queued, at most for a tenth of a second, and closes the
// socket.
func (c *Conn) Close() error {
	c.out.close()
	return c.UDPConn.Close()
}
