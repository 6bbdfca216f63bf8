package kernelnet

import (
	"errors"
	"net/netip"
	"sync"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// Congestion controls that Linux commonly has. Any other that the kernel has
// may be named, too.
const (
	Reno  = "reno"
	Cubic = "cubic"
	BBR   = "bbr"
)

// ErrUnavailable is matched by every [UnavailableError]. The link emulated in
// user space (package usernet) runs everywhere.
var ErrUnavailable = errors.New("kernelnet: not available here")

// UnavailableError says what this machine lacks and what would help.
type UnavailableError struct {
	Missing string // what is missing, and what to do about it
	Err     error  // the system's error, or nil
}

func (e *UnavailableError) Error() string {
	s := "kernelnet: links between kernel network namespaces cannot run here: " + e.Missing
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}

// Unwrap returns [ErrUnavailable] and Err.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// DefaultTCPBuffer is the TCPBuffer of Options that name none, in bytes: the
// product of 1 Gbit/s and 130 ms.
const DefaultTCPBuffer = 16 << 20

// Options of [New]; nil and the zero value are good.
type Options struct {
	// CongestionControl of TCP, by the kernel's name. "": [Cubic].
	CongestionControl string
	// TCPBuffer is what one TCP connection may have in flight, in bytes of
	// payload: the buffers may grow to twice as much. 0: [DefaultTCPBuffer]. It
	// should exceed twice the bandwidth-delay product.
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
	once           sync.Once
	err            error
}

// Available returns nil, or the [UnavailableError] that New would return.
func Available() error { return available() }

// New builds a network whose packets from the client to the server pass a Pipe
// of the configuration up, and those back one of down. The devices have the
// smaller MTU of the two. The error matches [ErrUnavailable],
// [emulator.ErrConfig], or is the system's.
func New(up, down emulator.Config, o *Options) (_ *Network, err error) {
	opts := o.withDefaults()
	if err := available(); err != nil {
		return nil, err
	}
	mtu := min(or(up.MTU, emulator.DefaultMTU), or(down.MTU, emulator.DefaultMTU))
	n := &Network{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	// TEST-NET-1 of RFC 5737, which no real network uses.
	if n.client, err = newHost(netip.MustParseAddr("192.0.2.1"), mtu, opts); err != nil {
		return nil, err
	}
	if n.server, err = newHost(netip.MustParseAddr("192.0.2.2"), mtu, opts); err != nil {
		return nil, err
	}
	fine := &emulator.Options{FineTimer: true}
	if n.up, err = emulator.New(up, n.server.arrived, fine); err != nil {
		return nil, err
	}
	if n.down, err = emulator.New(down, n.client.arrived, fine); err != nil {
		return nil, err
	}
	n.client.sendTo(n.up)
	n.server.sendTo(n.down)
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

// Stats returns what each direction has carried so far. CPU includes reading the
// packets from the one device and writing them to the other, and so the
// kernel's work on their arrival.
func (n *Network) Stats() (up, down emulator.Stats) {
	up, down = n.up.Stats(), n.down.Stats()
	up.CPU += n.client.reading.Total() + n.server.writing.Total()
	down.CPU += n.server.reading.Total() + n.client.writing.Total()
	return up, down
}

// Close cuts the link, closes every socket of both hosts and removes the
// namespaces. What is on its way is lost. It may be called twice.
func (n *Network) Close() error {
	n.once.Do(func() {
		var errs []error
		for _, h := range []*Host{n.client, n.server} {
			if h != nil {
				errs = append(errs, h.close())
			}
		}
		for _, p := range []*emulator.Pipe{n.up, n.down} {
			if p != nil {
				errs = append(errs, p.Close())
			}
		}
		n.err = errors.Join(errs...)
	})
	return n.err
}
