package usernet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Host is one end of the link. Its methods may be called concurrently.
type Host struct {
	stack *stack.Stack
	addr  netip.Addr
	once  sync.Once
}

// Addr is the host's IPv4 address.
func (h *Host) Addr() netip.Addr { return h.addr }

// ListenTCP listens on the host's address and the port, or on any free port for
// 0. The errors of the listener and its connections match those of package net.
func (h *Host) ListenTCP(port uint16) (net.Listener, error) {
	l, err := gonet.ListenTCP(h.stack, h.full(port), ipv4.ProtocolNumber)
	if err != nil {
		return nil, fmt.Errorf("usernet: listen on TCP port %d: %w", port, standard(err))
	}
	return &listener{TCPListener: l}, nil
}

// DialContext connects to a literal IPv4 address and port by "tcp" or "tcp4".
// It fits [net/http.Transport]. There are no names to resolve on this network.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" {
		return nil, fmt.Errorf("usernet: dial: %w", net.UnknownNetworkError(network))
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Is4() {
		return nil, fmt.Errorf("usernet: dial %q: want a literal IPv4 address and port", address)
	}
	remote := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(to.Addr().As4()), Port: to.Port()}
	c, err := gonet.DialContextTCP(ctx, h.stack, remote, ipv4.ProtocolNumber)
	if err != nil {
		return nil, fmt.Errorf("usernet: dial %v: %w", to, standard(err))
	}
	return &conn{TCPConn: c}, nil
}

// ListenPacket opens a UDP socket on the host's address and the port, or on any
// free port for 0. Its LocalAddr is a *net.UDPAddr with both. Packets larger
// than the MTU are fragmented.
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	var queue waiter.Queue
	ep, terr := h.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	if terr != nil {
		return nil, fmt.Errorf("usernet: UDP socket: %s", terr)
	}
	options := ep.SocketOptions()
	options.SetSendBufferSize(udpBuffer, true)
	options.SetReceiveBufferSize(udpBuffer, true)
	if terr := ep.Bind(h.full(port)); terr != nil {
		ep.Close()
		return nil, fmt.Errorf("usernet: listen on UDP port %d: %w", port, standard(stackError(terr)))
	}
	return &packetConn{UDPConn: gonet.NewUDPConn(&queue, ep), options: options}, nil
}

func (h *Host) full(port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(h.addr.As4()), Port: port}
}

func (h *Host) close() {
	h.once.Do(h.stack.Destroy)
}
