package usernet

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// endpoint is the network interface of one host: what the stack writes goes
// into a Pipe, what the other Pipe delivers goes into the stack.
type endpoint struct {
	mtu  uint32
	out  atomic.Pointer[emulator.Pipe]
	into atomic.Pointer[stack.NetworkDispatcher]
}

// arrived takes a packet from the link. The packet is copied.
func (e *endpoint) arrived(packet []byte) {
	into := e.into.Load()
	if into == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	(*into).DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
	pkt.DecRef()
}

// WritePackets puts packets on the link. It accepts all, as a wire does: an
// error would tell the sender of a loss that it has to find out by itself.
func (e *endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	out := e.out.Load()
	for _, pkt := range pkts.AsSlice() {
		view := pkt.ToView()
		out.Send(view.AsSlice())
		view.Release()
	}
	return pkts.Len(), nil
}

func (e *endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.into.Store(nil)
		return
	}
	e.into.Store(&d)
}

func (e *endpoint) IsAttached() bool { return e.into.Load() != nil }

func (e *endpoint) MTU() uint32 { return e.mtu }

// The rest of stack.LinkEndpoint: an interface without link-layer addresses or
// headers, whose MTU does not change.

func (*endpoint) SetMTU(uint32)                                {}
func (*endpoint) Wait()                                        {}
func (*endpoint) Close()                                       {}
func (*endpoint) SetOnCloseAction(func())                      {}
func (*endpoint) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (*endpoint) MaxHeaderLength() uint16                      { return 0 }
func (*endpoint) LinkAddress() tcpip.LinkAddress               { return "" }
func (*endpoint) SetLinkAddress(tcpip.LinkAddress)             {}
func (*endpoint) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (*endpoint) AddHeader(*stack.PacketBuffer)                {}
func (*endpoint) ParseHeader(*stack.PacketBuffer) bool         { return true }
