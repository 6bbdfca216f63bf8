package usernet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// listener, conn and packetConn are gonet's, with the errors of package net.

type listener struct {
	*gonet.TCPListener
	closed atomic.Bool
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		return nil, after(&l.closed, err)
	}
	return &conn{TCPConn: c.(*gonet.TCPConn)}, nil
}

// Close wakes Accept, which then fails with an error matching net.ErrClosed.
func (l *listener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	l.Shutdown()
	return l.TCPListener.Close()
}

type conn struct {
	*gonet.TCPConn
	closed atomic.Bool
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	return n, after(&c.closed, err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	return n, after(&c.closed, err)
}

func (c *conn) CloseRead() error { return after(&c.closed, c.TCPConn.CloseRead()) }

func (c *conn) CloseWrite() error { return after(&c.closed, c.TCPConn.CloseWrite()) }

func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.TCPConn.Close()
}

type packetConn struct {
	*gonet.UDPConn
	options *tcpip.SocketOptions
	closed  atomic.Bool
}

// SetReadBuffer and SetWriteBuffer are there for code that expects a
// *net.UDPConn, such as quic-go.

func (c *packetConn) SetReadBuffer(bytes int) error {
	c.options.SetReceiveBufferSize(int64(bytes), true)
	return nil
}

func (c *packetConn) SetWriteBuffer(bytes int) error {
	c.options.SetSendBufferSize(int64(bytes), true)
	return nil
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.UDPConn.ReadFrom(b)
	return n, from, after(&c.closed, err)
}

// WriteTo takes *net.UDPAddr, with an IPv4 address in either of its forms.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok || udp.IP.To4() == nil {
		return 0, &net.AddrError{Err: "usernet: not an IPv4 UDP address", Addr: fmt.Sprint(to)}
	}
	n, err := c.UDPConn.WriteTo(b, &net.UDPAddr{IP: udp.IP.To4(), Port: udp.Port})
	return n, after(&c.closed, err)
}

func (c *packetConn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.UDPConn.Close()
}

// after is the error of an operation on something that may have been closed.
func after(closed *atomic.Bool, err error) error {
	if err == nil {
		return nil
	}
	if closed.Load() {
		return net.ErrClosed
	}
	return standard(err)
}

// meanings are gVisor's errors that code above TCP asks for by value. gonet
// keeps their text alone.
var meanings = []struct {
	text string
	err  error
}{
	{(&tcpip.ErrConnectionRefused{}).String(), syscall.ECONNREFUSED},
	{(&tcpip.ErrConnectionReset{}).String(), syscall.ECONNRESET},
	{(&tcpip.ErrConnectionAborted{}).String(), syscall.ECONNABORTED},
	{(&tcpip.ErrClosedForSend{}).String(), syscall.EPIPE},
	{(&tcpip.ErrPortInUse{}).String(), syscall.EADDRINUSE},
	{(&tcpip.ErrTimeout{}).String(), syscall.ETIMEDOUT},
}

// standard gives err the value that package net would have given it.
func standard(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Timeout() {
			err = os.ErrDeadlineExceeded
		} else {
			err = standard(op.Err)
		}
		return &net.OpError{Op: op.Op, Net: op.Net, Source: op.Source, Addr: op.Addr, Err: err}
	}
	for _, m := range meanings {
		if strings.Contains(err.Error(), m.text) {
			return m.err
		}
	}
	return err
}

func stackError(err tcpip.Error) error { return errors.New(err.String()) }
