package kernelnet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/kernelnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a network, or nil where none can be: then New must have said so,
// and root with a TUN device is no such place.
func open(t *testing.T, cfg emulator.Config, opts *kernelnet.Options) *kernelnet.Network {
	t.Helper()
	n, err := kernelnet.New(cfg, cfg, opts)
	if err != nil {
		if _, noTUN := os.Stat("/dev/net/tun"); os.Geteuid() == 0 && noTUN == nil || !errors.Is(err, kernelnet.ErrUnavailable) {
			t.Fatal(err)
		}
		t.Log("not tested:", err)
		return nil
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func connect(t *testing.T, n *kernelnet.Network) (net.Conn, net.Conn) {
	t.Helper()
	l, err := n.Server().ListenTCP(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Client().DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// TestCongestionControlIsPinned on both ends, by the kernel's own word.
func TestCongestionControlIsPinned(t *testing.T) {
	for _, want := range []string{"", kernelnet.Reno, kernelnet.Cubic, kernelnet.BBR} {
		t.Run(want, func(t *testing.T) {
			n := open(t, emulator.Config{}, &kernelnet.Options{CongestionControl: want})
			if n == nil {
				return
			}
			if want == "" {
				want = kernelnet.Cubic
			}
			c, s := connect(t, n)
			for _, end := range []net.Conn{c, s} {
				raw, err := end.(*net.TCPConn).SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				raw.Control(func(fd uintptr) {
					got, err := unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
					if got = strings.TrimRight(got, "\x00"); err != nil || got != want {
						t.Errorf("%q, %v; want %q", got, err, want)
					}
				})
			}
		})
	}
}

func TestUnknownCongestionControl(t *testing.T) {
	_, err := kernelnet.New(emulator.Config{}, emulator.Config{}, &kernelnet.Options{CongestionControl: "no-such"})
	if unavailable, ok := errors.AsType[*kernelnet.UnavailableError](err); !ok || !errors.Is(err, kernelnet.ErrUnavailable) || unavailable.Missing == "" {
		t.Error(err)
	}
}

// TestIsolated: the hosts reach each other and nothing else, and nobody reaches
// them.
func TestIsolated(t *testing.T) {
	n := open(t, emulator.Config{}, nil)
	if n == nil {
		return
	}
	l, err := n.Server().ListenTCP(0)
	if err != nil {
		t.Fatal(err)
	}
	outside := net.Dialer{Timeout: 100 * time.Millisecond}
	if c, err := outside.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("reached a host from outside")
	}
	here, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	if c, err := n.Client().DialContext(t.Context(), "tcp", here.Addr().String()); err == nil {
		c.Close()
		t.Error("reached this machine from a host")
	}
}

// TestNothingIsLeft: what networks use is given back, sockets that nobody
// closed included.
func TestNothingIsLeft(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	cycle := func() {
		n := open(t, emulator.Config{}, nil)
		if n == nil {
			return
		}
		c, s := connect(t, n)
		if _, err := n.Client().ListenPacket(0); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Server().ListenTCP(0); err != nil {
			t.Fatal(err)
		}
		s.Write([]byte("hello"))
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if _, err := n.Client().ListenTCP(0); err == nil {
			t.Error("a closed host listens")
		}
	}
	cycle()
	// The runtime and other tests may open a file or two meanwhile; a leak
	// would be one for each network at least.
	const networks = 20
	before := count()
	for range networks {
		cycle()
	}
	if after := count(); after >= before+networks {
		t.Errorf("%d open files, %d after %d networks", before, after, networks)
	}
}
