package usernet

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// The congestion controls of TCP here.
const (
	Cubic = "cubic"
	Reno  = "reno"
)

// ErrCongestionControl: the stack has no congestion control of that name. Use
// [Cubic] or [Reno].
var ErrCongestionControl = errors.New("usernet: no such congestion control (cubic and reno exist)")

const (
	// DefaultTCPBuffer is the TCPBuffer of Options that name none, in bytes: the
	// product of 1 Gbit/s and 130 ms.
	DefaultTCPBuffer = 16 << 20

	// udpBuffer is what a UDP socket may hold, in bytes, in each direction:
	// what quic-go asks of a kernel.
	udpBuffer = 7 << 20
)

// Options of [New]; nil and the zero value are good.
type Options struct {
	// CongestionControl of TCP: [Cubic], the default, or [Reno].
	CongestionControl string
	// TCPBuffer is what one TCP connection may have in flight, in bytes of
	// payload: the buffers are twice as large. 0: [DefaultTCPBuffer]. It should
	// exceed twice the bandwidth-delay product.
	TCPBuffer int
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.CongestionControl == "" {
		opts.CongestionControl = Cubic
	}
	if opts.TCPBuffer <= 0 {
		opts.TCPBuffer = DefaultTCPBuffer
	}
	return opts
}

// Network is two hosts and the link between them.
type Network struct {
	client, server *Host
	up, down       *emulator.Pipe
}

// New builds a network whose packets from the client to the server pass a Pipe
// of the configuration up, and those back one of down. The interfaces have the
// smaller MTU of the two. The error matches [emulator.ErrConfig] or
// [ErrCongestionControl], or is the stack's.
func New(up, down emulator.Config, o *Options) (_ *Network, err error) {
	opts := o.withDefaults()
	if opts.CongestionControl != Cubic && opts.CongestionControl != Reno {
		return nil, fmt.Errorf("%w: %q", ErrCongestionControl, opts.CongestionControl)
	}
	mtu := uint32(min(or(up.MTU, emulator.DefaultMTU), or(down.MTU, emulator.DefaultMTU)))
	client, server := &endpoint{mtu: mtu}, &endpoint{mtu: mtu}
	n := &Network{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	fine := &emulator.Options{FineTimer: true}
	if n.up, err = emulator.New(up, server.arrived, fine); err != nil {
		return nil, err
	}
	if n.down, err = emulator.New(down, client.arrived, fine); err != nil {
		return nil, err
	}
	client.out.Store(n.up)
	server.out.Store(n.down)
	// TEST-NET-1 of RFC 5737, which no real network uses.
	rtt := up.Delay + down.Delay
	if n.client, err = newHost(client, netip.MustParseAddr("192.0.2.1"), rtt, opts); err != nil {
		return nil, err
	}
	if n.server, err = newHost(server, netip.MustParseAddr("192.0.2.2"), rtt, opts); err != nil {
		return nil, err
	}
	return n, nil
}

func or(value, fallback int) int {
	if value == 0 {
		return fallback
	}
	return value
}

// Client is the host whose packets take the up direction.
func (n *Network) Client() *Host { return n.client }

// Server is the other host.
func (n *Network) Server() *Host { return n.server }

// Stats returns what each direction has carried so far.
func (n *Network) Stats() (up, down emulator.Stats) { return n.up.Stats(), n.down.Stats() }

// Close cuts the link, aborts every connection and ends every goroutine of the
// network. What is on its way is lost. It may be called twice.
func (n *Network) Close() error {
	var errs []error
	for _, p := range []*emulator.Pipe{n.up, n.down} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, h := range []*Host{n.client, n.server} {
		if h != nil {
			h.close()
		}
	}
	return errors.Join(errs...)
}

const nic = 1

func newHost(ep *endpoint, addr netip.Addr, rtt time.Duration, opts Options) (*Host, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	h := &Host{stack: s, addr: addr}
	if err := configure(s, ep, addr, rtt, opts); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func configure(s *stack.Stack, ep *endpoint, addr netip.Addr, rtt time.Duration, opts Options) error {
	cc := tcpip.CongestionControlOption(opts.CongestionControl)
	sack := tcpip.TCPSACKEnabled(true)
	// RACK of this version needs seconds for what a full queue drops at the end
	// of slow start, and RFC 6675 alone half a second; see the package comment.
	recovery := tcpip.TCPRecovery(0)
	// Linux never times out before the smoothed round trip and 200 ms more
	// (tcp_rto_min); gVisor's minimum is absolute.
	minRTO := tcpip.TCPMinRTOOption(200*time.Millisecond + rtt)
	// Half of a buffer is the stack's own: it grants half of a receive buffer as
	// window, and wakes a writer when half of a send buffer is free.
	size := 2 * opts.TCPBuffer
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: size, Max: size}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: size, Max: size}
	for _, o := range []tcpip.SettableTransportProtocolOption{&cc, &sack, &recovery, &minRTO, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("usernet: TCP option %T: %s", o, err)
		}
	}
	if err := s.CreateNIC(nic, ep); err != nil {
		return fmt.Errorf("usernet: interface: %s", err)
	}
	local := tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(addr.As4()), PrefixLen: 24},
	}
	if err := s.AddProtocolAddress(nic, local, stack.AddressProperties{}); err != nil {
		return fmt.Errorf("usernet: address: %s", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return nil
}
