package link

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/kernelnet"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/usernet"
)

// Host is one end of a link. Its methods may be called concurrently.
type Host interface {
	// Addr is the host's IPv4 address.
	Addr() netip.Addr
	// ListenTCP listens on the host's address and the port; 0: any free port.
	ListenTCP(port uint16) (net.Listener, error)
	// DialContext connects by "tcp" to a literal IPv4 address and port. It
	// fits http.Transport.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket opens a UDP socket on the host's address and the port; 0:
	// any free port. Its LocalAddr is a *net.UDPAddr with both.
	ListenPacket(port uint16) (net.PacketConn, error)
}

// Kind is what the hosts of a link are made of.
type Kind int

const (
	// User hosts are network stacks in this process; see package usernet.
	User Kind = iota
	// Kernel hosts are network namespaces of Linux; see package kernelnet.
	Kernel
)

func (k Kind) String() string {
	switch k {
	case User:
		return "user"
	case Kernel:
		return "kernel"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// CongestionControls are the congestion controls of TCP to choose from, the
// default first. A kernel may have others.
func (k Kind) CongestionControls() []string {
	if k == Kernel {
		return []string{kernelnet.Cubic, kernelnet.Reno, kernelnet.BBR}
	}
	return []string{usernet.Cubic, usernet.Reno}
}

// Available returns nil, or why this machine cannot emulate a link of the kind.
// The error matches [kernelnet.ErrUnavailable].
func (k Kind) Available() error {
	if k == Kernel {
		return kernelnet.Available()
	}
	return nil
}

// Options of [Open]; nil and the zero value are good.
type Options struct {
	// CongestionControl of TCP. "": the first of Kind.CongestionControls.
	CongestionControl string
	// TCPBuffer is what one TCP connection may have in flight, in bytes of
	// payload; the buffers are twice as large. 0: twice what the link can hold,
	// and at least 4 MiB; 16 MiB on a link without a rate.
	TCPBuffer int
}

// tcpBuffer is enough to fill the link and its queue while lost packets are
// repaired.
func (s Spec) tcpBuffer() int {
	if s.Up.Rate == 0 || s.Down.Rate == 0 {
		return usernet.DefaultTCPBuffer
	}
	const least, most = 4 << 20, 256 << 20
	up, down := s.QueueBytes()
	return min(max(least, 2*(s.BDP()+max(up, down))), most)
}

// Network is an open link. Its methods may be called concurrently.
type Network struct {
	client, server Host
	stats          func() (up, down emulator.Stats)
	close          func() error
}

// Open builds the link. Its random decisions depend on the seed. The error
// matches [emulator.ErrConfig] for a Spec that cannot be, [kernelnet.ErrUnavailable]
// for a Kind that cannot run here, or [usernet.ErrCongestionControl].
func Open(s Spec, kind Kind, seed uint64, o *Options) (*Network, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.TCPBuffer == 0 {
		opts.TCPBuffer = s.tcpBuffer()
	}
	up, down, err := s.Configs(seed)
	if err != nil {
		return nil, err
	}
	if kind == Kernel {
		n, err := kernelnet.New(up, down, &kernelnet.Options{CongestionControl: opts.CongestionControl, TCPBuffer: opts.TCPBuffer})
		if err != nil {
			return nil, err
		}
		return &Network{n.Client(), n.Server(), n.Stats, n.Close}, nil
	}
	n, err := usernet.New(up, down, &usernet.Options{CongestionControl: opts.CongestionControl, TCPBuffer: opts.TCPBuffer})
	if err != nil {
		return nil, err
	}
	return &Network{n.Client(), n.Server(), n.Stats, n.Close}, nil
}

// Client is the host whose packets take the up direction.
func (n *Network) Client() Host { return n.client }

// Server is the other host.
func (n *Network) Server() Host { return n.server }

// Stats returns what each direction has carried so far, counted where packets
// enter and leave the emulator.
func (n *Network) Stats() (up, down emulator.Stats) { return n.stats() }

// Close cuts the link and ends every connection, listener and goroutine of it.
// What is on its way is lost. It may be called twice.
func (n *Network) Close() error { return n.close() }
