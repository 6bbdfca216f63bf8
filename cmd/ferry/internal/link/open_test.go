package link_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/kernelnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachKind runs f for the kinds that can run here. The kernel's must run as
// root where there is a TUN device, and refuse with a reason elsewhere.
func eachKind(t *testing.T, f func(t *testing.T, kind link.Kind)) {
	t.Run("user", func(t *testing.T) { f(t, link.User) })
	t.Run("kernel", func(t *testing.T) {
		err := link.Kernel.Available()
		if err == nil {
			f(t, link.Kernel)
			return
		}
		if _, noTUN := os.Stat("/dev/net/tun"); os.Geteuid() == 0 && noTUN == nil {
			t.Fatalf("root with a TUN device: %v", err)
		}
		if _, opened := link.Open(link.Spec{}, link.Kernel, 0, nil); !errors.Is(opened, kernelnet.ErrUnavailable) {
			t.Errorf("unavailable, but Open says %v", opened)
		}
		t.Log("not measured: ", err)
	})
}

func open(t testing.TB, spec string, kind link.Kind, seed uint64, opts *link.Options) *link.Network {
	t.Helper()
	s, err := link.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	n, err := link.Open(s, kind, seed, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// connect returns the ends of a TCP connection: the client's, the server's.
func connect(t testing.TB, n *link.Network) (net.Conn, net.Conn) {
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

func TestTCPBothWays(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		for _, cc := range kind.CongestionControls() {
			t.Run(cc, func(t *testing.T) {
				n := open(t, "rtt=4ms,jitter=1ms,rate=200mbit,loss=0.1%,corrupt=0.1%,duplicate=0.1%", kind, 1, &link.Options{CongestionControl: cc})
				c, s := connect(t, n)
				const size = 2 << 20
				send := func(w net.Conn, seed byte) {
					io.CopyN(w, rand.NewChaCha8([32]byte{seed}), size)
					w.(interface{ CloseWrite() error }).CloseWrite()
				}
				sum := func(r io.Reader) string {
					h := sha256.New()
					io.Copy(h, r)
					return string(h.Sum(nil))
				}
				go send(c, 1)
				go send(s, 2)
				back := make(chan string)
				go func() { back <- sum(c) }()
				if sum(s) != sum(io.LimitReader(rand.NewChaCha8([32]byte{1}), size)) {
					t.Error("up: the bytes differ")
				}
				if <-back != sum(io.LimitReader(rand.NewChaCha8([32]byte{2}), size)) {
					t.Error("down: the bytes differ")
				}
				up, down := n.Stats()
				if up.Offered.Bytes < size || down.Offered.Bytes < size || up.DroppedMTU.Packets+down.DroppedMTU.Packets > 0 {
					t.Errorf("up %+v\ndown %+v", up, down)
				}
			})
		}
	})
}

func TestUDP(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, "rtt=10ms", kind, 1, nil)
		c, err := n.Client().ListenPacket(0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Server().ListenPacket(4433)
		if err != nil {
			t.Fatal(err)
		}
		local, ok := s.LocalAddr().(*net.UDPAddr)
		if !ok || local.Port != 4433 || local.AddrPort().Addr().Unmap() != n.Server().Addr() {
			t.Fatalf("LocalAddr is %T %[1]v", s.LocalAddr())
		}
		buf := make([]byte, 65536)
		for _, size := range []int{0, 1200, 1472, 1473, 20_000} {
			if _, err := c.WriteTo(make([]byte, size), local); err != nil {
				t.Fatal(err)
			}
			s.SetReadDeadline(time.Now().Add(5 * time.Second))
			got, from, err := s.ReadFrom(buf)
			if err != nil || got != size || from.String() != c.LocalAddr().String() {
				t.Fatalf("%d bytes from %v, %v; want %d from %v", got, from, err, size, c.LocalAddr())
			}
		}
	})
}

// TestCloseWakesEverybody and leaves no goroutine, which goleak checks.
func TestCloseWakesEverybody(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, "rtt=2ms", kind, 1, nil)
		c, s := connect(t, n)
		defer c.Close() // it does not read
		l, err := n.Server().ListenTCP(0)
		if err != nil {
			t.Fatal(err)
		}
		p, err := n.Client().ListenPacket(0)
		if err != nil {
			t.Fatal(err)
		}
		const blocked = 4
		ended := make(chan error, blocked)
		go func() { _, err := s.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := io.Copy(s, rand.NewChaCha8([32]byte{})); ended <- err }()
		go func() { _, err := l.Accept(); ended <- err }()
		go func() { _, _, err := p.ReadFrom(make([]byte, 1)); ended <- err }()
		for range 2 {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		for range blocked {
			select {
			case err := <-ended:
				if err == nil {
					t.Error("ended without an error")
				}
			case <-time.After(5 * time.Second):
				t.Fatal("still blocked")
			}
		}
	})
}

func TestCongestionControlMustExist(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		if _, err := link.Open(link.Spec{}, kind, 0, &link.Options{CongestionControl: "no-such"}); err == nil {
			t.Error("opened")
		} else {
			t.Log(err)
		}
	})
}
