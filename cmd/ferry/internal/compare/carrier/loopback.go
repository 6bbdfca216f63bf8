package carrier

import (
	"context"
	"net"
	"net/netip"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// Loopback is this machine as both hosts, joined by its loopback interface.
func Loopback() Hosts { return Hosts{Client: loopback{}, Server: loopback{}} }

type loopback struct{}

var _ link.Host = loopback{}

var local = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Addr implements link.Host.
func (loopback) Addr() netip.Addr { return local }

// ListenTCP implements link.Host.
func (loopback) ListenTCP(port uint16) (net.Listener, error) {
	return net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, port)))
}

// DialContext implements link.Host.
func (loopback) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// ListenPacket implements link.Host.
func (loopback) ListenPacket(port uint16) (net.PacketConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, port)))
}
