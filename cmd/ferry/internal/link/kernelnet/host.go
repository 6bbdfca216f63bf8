package kernelnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// Host is one end of the link. Its methods may be called concurrently.
type Host struct {
	addr      netip.Addr
	control   string // the congestion control of TCP
	namespace namespace
	device    io.ReadWriteCloser
	reader    sync.WaitGroup
	reading   *emulator.Meter
	writing   *emulator.Meter

	mu      sync.Mutex
	closed  bool
	sockets map[io.Closer]struct{}
}

// newHost makes a namespace with a device. On error nothing is left of it.
func newHost(addr netip.Addr, mtu int, opts Options) (*Host, error) {
	ns, device, err := newNamespace(addr, mtu, opts)
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("kernelnet: make a host: %w", err)
	}
	return &Host{
		addr:      addr,
		control:   opts.CongestionControl,
		namespace: ns,
		device:    device,
		reading:   emulator.NewMeter(),
		writing:   emulator.NewMeter(),
		sockets:   map[io.Closer]struct{}{},
	}, nil
}

// sendTo starts to put on the link what the kernel writes to the device.
func (h *Host) sendTo(link *emulator.Pipe) {
	h.reader.Go(func() {
		packet := make([]byte, emulator.MaxMTU)
		for {
			lap := h.reading.Enter()
			n, err := h.device.Read(packet)
			h.reading.Leave(lap)
			if err != nil {
				return
			}
			link.Send(packet[:n])
		}
	})
}

// arrived hands a packet to the kernel, which refuses one whose IP header is
// damaged: it is lost, as at a real receiver.
func (h *Host) arrived(packet []byte) {
	lap := h.writing.Enter()
	_, _ = h.device.Write(packet)
	h.writing.Leave(lap)
}

// Addr is the host's IPv4 address.
func (h *Host) Addr() netip.Addr { return h.addr }

// ListenTCP listens on the host's address and the port, or on any free port for 0.
func (h *Host) ListenTCP(port uint16) (net.Listener, error) {
	config := net.ListenConfig{Control: pinTCP(h.control)}
	config.SetMultipathTCP(false) // Go's default for listeners is another protocol
	var l net.Listener
	err := h.namespace.run(func() (err error) {
		l, err = config.Listen(context.Background(), "tcp4", netip.AddrPortFrom(h.addr, port).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kernelnet: %w", err)
	}
	if err := h.own(l); err != nil {
		return nil, err
	}
	return &listener{Listener: l, host: h}, nil
}

// DialContext connects to a literal IPv4 address and port by "tcp" or "tcp4".
// It fits [net/http.Transport]. There are no names to resolve on this network.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" {
		return nil, fmt.Errorf("kernelnet: dial: %w", net.UnknownNetworkError(network))
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Is4() {
		return nil, fmt.Errorf("kernelnet: dial %q: want a literal IPv4 address and port", address)
	}
	dialer := net.Dialer{Control: pinTCP(h.control)}
	dialer.SetMultipathTCP(false)
	var c net.Conn
	err = h.namespace.run(func() (err error) {
		c, err = dialer.DialContext(ctx, "tcp4", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kernelnet: %w", err)
	}
	if err := h.own(c); err != nil {
		return nil, err
	}
	return c, nil
}

// ListenPacket opens a UDP socket on the host's address and the port, or on any
// free port for 0. It is a *net.UDPConn with large buffers.
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	config := net.ListenConfig{Control: growUDP}
	var c net.PacketConn
	err := h.namespace.run(func() (err error) {
		c, err = config.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(h.addr, port).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kernelnet: %w", err)
	}
	if err := h.own(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Run calls f on a thread inside the host's namespace. Processes that f starts
// live there, with the kernel's default congestion control.
func (h *Host) Run(f func() error) error { return h.namespace.run(f) }

// own has the socket closed with the host at the latest.
func (h *Host) own(socket io.Closer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = socket.Close()
		return fmt.Errorf("kernelnet: %w", net.ErrClosed)
	}
	h.sockets[socket] = struct{}{}
	return nil
}

// close closes the sockets, the device and the namespace.
func (h *Host) close() error {
	h.mu.Lock()
	h.closed = true
	sockets := h.sockets
	h.sockets = nil
	h.mu.Unlock()
	for s := range sockets {
		_ = s.Close() // its user has probably done so
	}
	err := h.device.Close()
	h.reader.Wait()
	return errors.Join(err, h.namespace.close())
}

// listener has its host own what it accepts.
type listener struct {
	net.Listener
	host *Host
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if err := l.host.own(c); err != nil {
		return nil, err
	}
	return c, nil
}
