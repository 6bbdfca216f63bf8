package kernelnet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	tunPath       = "/dev/net/tun"
	namespacePath = "/proc/thread-self/ns/net"
	deviceName    = "ferry0"

	// deviceQueue is the queue of the kernel in front of the device, in
	// packets: long enough that the emulated queue is the only one to drop.
	deviceQueue = 10_000

	// udpBuffer is the size of each buffer of a UDP socket in bytes, what
	// quic-go asks for.
	udpBuffer = 7 << 20
)

func available() error {
	if os.Geteuid() != 0 {
		return &UnavailableError{Missing: "root is needed: run as root (sudo), or use the link in user space"}
	}
	if _, err := os.Stat(tunPath); err != nil {
		return &UnavailableError{Missing: "there is no TUN device: load it with modprobe tun, or give the container /dev/net/tun", Err: err}
	}
	return nil
}

// namespace is a network namespace, kept by a file descriptor alone.
type namespace struct{ file *os.File }

// newNamespace makes a namespace whose only way out is the device.
func newNamespace(addr netip.Addr, mtu int, opts Options) (ns namespace, device io.ReadWriteCloser, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is never unlocked: it ends with this goroutine, and no
		// other code runs in the namespace by accident.
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			err = &UnavailableError{Missing: "a network namespace is refused: give the process CAP_SYS_ADMIN", Err: err}
			return
		}
		if ns.file, err = os.Open(namespacePath); err != nil {
			return
		}
		if err = tune(opts); err == nil {
			device, err = newDevice(addr, mtu)
		}
	}()
	<-done
	if err != nil && ns.file != nil {
		err = errors.Join(err, ns.file.Close())
	}
	return ns, device, err
}

// run calls f on a thread inside the namespace. Sockets that f makes stay there.
func (ns namespace) run(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(namespacePath)
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer home.Close()
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("enter the namespace: %w", err)
			return
		}
		result <- f()
		// A thread that cannot return stays locked and ends with the goroutine.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return <-result
}

func (ns namespace) close() error { return ns.file.Close() }

// tune sets what the package comment promises, in the namespace of the thread.
func tune(opts Options) error {
	// Half of a buffer is the kernel's own: it grants half of a receive buffer
	// as window (tcp_adv_win_scale) and counts a packet to send at its size in memory.
	buffer := strconv.Itoa(2 * opts.TCPBuffer)
	for _, s := range []struct{ name, value string }{
		{"ipv4/tcp_rmem", "4096 131072 " + buffer},
		{"ipv4/tcp_wmem", "4096 16384 " + buffer},
		{"ipv4/tcp_no_metrics_save", "1"},
	} {
		if err := sysctl(s.name, s.value); err != nil {
			return &UnavailableError{Missing: "the settings of TCP cannot be changed: mount /proc/sys writable", Err: err}
		}
	}
	if err := sysctl("ipv6/conf/default/disable_ipv6", "1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("turn off IPv6: %w", err)
	}
	return probe(opts.CongestionControl)
}

// probe finds out whether sockets may use the congestion control. The sysctl is
// not used: it is refused for those that are not in
// tcp_allowed_congestion_control, even to root.
func probe(congestionControl string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := unix.SetsockoptString(socket, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl); err != nil {
		return &UnavailableError{
			Missing: fmt.Sprintf("the kernel has no congestion control %q: load it with modprobe tcp_%[1]s, or use reno", congestionControl),
			Err:     err,
		}
	}
	return nil
}

func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
}

// newDevice makes a TUN device in the namespace of the thread and brings it up.
func newDevice(addr netip.Addr, mtu int) (_ io.ReadWriteCloser, err error) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &UnavailableError{Missing: "the TUN device cannot be opened: allow " + tunPath, Err: err}
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	request, err := unix.NewIfreq(deviceName)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, &UnavailableError{Missing: "a TUN device is refused: give the process CAP_NET_ADMIN", Err: err}
	}
	if err := configure(addr, mtu); err != nil {
		return nil, fmt.Errorf("configure the TUN device: %w", err)
	}
	// Only now, when it is attached, can the device be waited for.
	return os.NewFile(uintptr(fd), tunPath), nil
}

// configure gives the device its address, MTU and queue, and brings it up.
func configure(addr netip.Addr, mtu int) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	for _, step := range []struct {
		name    string
		request uint
		set     func(*unix.Ifreq) error
	}{
		{"MTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil }},
		{"queue", unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(deviceQueue); return nil }},
		{"address", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(addr.AsSlice()) }},
		{"netmask", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }},
		{"flags", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		request, err := unix.NewIfreq(deviceName)
		if err != nil {
			return err
		}
		if err := step.set(request); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := unix.IoctlIfreq(socket, step.request, request); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// pinTCP sets the congestion control of a socket. A listener's connections
// inherit it.
func pinTCP(congestionControl string) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl)
		})
		return errors.Join(err, failed)
	}
}

// growUDP gives a UDP socket its buffers, beyond the limits of other users.
func growUDP(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
			failed = errors.Join(failed, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, udpBuffer))
		}
	})
	return errors.Join(err, failed)
}
