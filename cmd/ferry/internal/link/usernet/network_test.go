package usernet_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/usernet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg emulator.Config, opts *usernet.Options) *usernet.Network {
	t.Helper()
	n, err := usernet.New(cfg, cfg, opts)
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
func connect(t *testing.T, n *usernet.Network) (net.Conn, net.Conn) {
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

// TestTCPOverABadLink: whatever the link does, the bytes arrive unchanged.
func TestTCPOverABadLink(t *testing.T) {
	for _, cc := range []string{usernet.Cubic, usernet.Reno} {
		t.Run(cc, func(t *testing.T) {
			n := open(t, emulator.Config{
				Rate: 200e6, Queue: 100_000, Delay: 2 * time.Millisecond, Jitter: time.Millisecond,
				Loss: emulator.Loss{Good: 0.002}, Reorder: 0.01, ReorderBy: time.Millisecond,
				Duplicate: 0.01, Corrupt: 0.005, Seed: 1,
			}, &usernet.Options{CongestionControl: cc})
			c, s := connect(t, n)
			const size = 4 << 20
			sum := sha256.New()
			go func() {
				r := rand.NewChaCha8([32]byte{1})
				io.CopyN(io.MultiWriter(c, sum), r, size)
				c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got := sha256.New()
			if count, err := io.Copy(got, s); err != nil || count != size {
				t.Fatalf("%d bytes, %v", count, err)
			}
			if string(got.Sum(nil)) != string(sum.Sum(nil)) {
				t.Error("the bytes differ")
			}
			up, _ := n.Stats()
			if up.DroppedLoss.Packets == 0 || up.Corrupted.Packets == 0 || up.Reordered.Packets == 0 || up.Offered.Bytes < size {
				t.Errorf("%+v", up)
			}
		})
	}
}

func TestUDP(t *testing.T) {
	n := open(t, emulator.Config{Delay: 5 * time.Millisecond}, nil)
	c, err := n.Client().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Server().ListenPacket(4433)
	if err != nil {
		t.Fatal(err)
	}
	if local, ok := s.LocalAddr().(*net.UDPAddr); !ok || local.String() != "192.0.2.2:4433" {
		t.Errorf("LocalAddr is %T %[1]v", s.LocalAddr())
	}
	buf := make([]byte, 65536)
	for _, size := range []int{0, 1, 1472, 1473, 65000} { // the last two are fragmented
		start := time.Now()
		for _, to := range []*net.UDPAddr{
			{IP: net.IPv4(192, 0, 2, 2), Port: 4433},   // 16 bytes
			{IP: net.IP{192, 0, 2, 2}, Port: 4433},     // 4 bytes
			{IP: net.ParseIP("192.0.2.2"), Port: 4433}, // 16 bytes
			s.LocalAddr().(*net.UDPAddr),               // what LocalAddr says
		} {
			if _, err := c.WriteTo(make([]byte, size), to); err != nil {
				t.Fatal(err)
			}
			got, from, err := s.ReadFrom(buf)
			if err != nil || got != size || from.String() != c.LocalAddr().String() {
				t.Fatalf("%d bytes from %v, %v; want %d from %v", got, from, err, size, c.LocalAddr())
			}
		}
		if took := time.Since(start); took < 20*time.Millisecond {
			t.Errorf("four packets over 5 ms took %v", took)
		}
	}
}

func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	n := open(t, emulator.Config{}, nil)
	if _, err := n.Client().DialContext(t.Context(), "tcp", "192.0.2.2:81"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	for _, address := range []string{"example.org:80", "[::1]:80", "192.0.2.2"} {
		if _, err := n.Client().DialContext(t.Context(), "tcp", address); err == nil {
			t.Errorf("dialled %s", address)
		}
	}
	if _, err := n.Client().DialContext(t.Context(), "udp", "192.0.2.2:81"); !errors.As(err, new(net.UnknownNetworkError)) {
		t.Errorf("udp: %v", err)
	}
	dead := open(t, emulator.Config{Loss: emulator.Loss{Good: 1}}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := dead.Client().DialContext(ctx, "tcp", "192.0.2.2:81"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dead link: %v", err)
	}
	l, err := n.Server().ListenTCP(80)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Server().ListenTCP(80); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port taken: %v", err)
	}
	if _, err := n.Server().ListenPacket(80); err != nil {
		t.Errorf("UDP port beside the TCP one: %v", err)
	}
	if _, err := n.Server().ListenPacket(80); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("UDP port taken: %v", err)
	}
	accepted := make(chan error)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}

	c, s := connect(t, n)
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	s.Write([]byte("unread"))
	c.SetReadDeadline(time.Time{})
	io.ReadFull(c, make([]byte, 1))
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read after the peer closed with unread data: %v", err)
	}
	p, err := n.Client().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, _, err := p.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrom after Close: %v", err)
	}
}

// TestCloseWakesEverybody and leaves no goroutine, which goleak checks.
func TestCloseWakesEverybody(t *testing.T) {
	n := open(t, emulator.Config{Delay: time.Millisecond}, nil)
	c, s := connect(t, n)
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
	go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
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
}

func TestCongestionControlMustExist(t *testing.T) {
	_, err := usernet.New(emulator.Config{}, emulator.Config{}, &usernet.Options{CongestionControl: "bbr"})
	if !errors.Is(err, usernet.ErrCongestionControl) {
		t.Error(err)
	}
}
