package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

func loopback(tb testing.TB) *net.UDPConn {
	tb.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { socket.Close() })
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	return socket
}

func addrOf(socket *net.UDPConn) netip.AddrPort { return socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// gathered is n packets as the writer takes them over.
func gathered(n, size int, to netip.AddrPort) *batch {
	var b batch
	p := make([]byte, size)
	for i := range n {
		p[0] = byte(i)
		b.add(p, to)
	}
	return &b
}

// A burst crosses the kernel in one piece: one write, and one read for ReadBatch.
func TestABurstIsOneWriteAndOneRead(t *testing.T) {
	a, b := New(loopback(t)), New(loopback(t))
	const n = 40
	a.out.writeBatch(gathered(n, 1200, addrOf(b.UDPConn)))
	ms := make([]ipv4.Message, 2*n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 1500)}
	}
	got, err := b.ReadBatch(ms, 0)
	if got != n || err != nil {
		t.Fatalf("one read returned %d packets, want %d: %v", got, n, err)
	}
	for i, m := range ms[:n] {
		if m.N != 1200 || m.Buffers[0][0] != byte(i) {
			t.Errorf("packet %d: %d bytes of packet %d", i, m.N, m.Buffers[0][0])
		}
	}
}

// The kernel refuses UDP_SEGMENT where checksums are off. Nothing is lost, and
// it is not tried again.
func TestBurstsRefused(t *testing.T) {
	a, b := New(loopback(t)), New(loopback(t))
	if !control(a.UDPConn, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }) {
		t.Fatal("SO_NO_CHECK is refused")
	}
	if !a.out.bursts {
		t.Fatal("the kernel does not know UDP_SEGMENT")
	}
	const n = 40
	a.out.writeBatch(gathered(n, 1200, addrOf(b.UDPConn)))
	if a.out.bursts {
		t.Error("bursts are tried again")
	}
	if _, err := a.WriteToAddrPort(make([]byte, 7), addrOf(b.UDPConn)); err != nil {
		t.Error(err)
	}
	p := make([]byte, 1500)
	for i := range n {
		if size, _, err := b.ReadFromAddrPort(p); size != 1200 || p[0] != byte(i) || err != nil {
			t.Fatalf("packet %d: %d bytes of packet %d, %v", i, size, p[0], err)
		}
	}
	if size, _, err := b.ReadFromAddrPort(p); size != 7 || err != nil {
		t.Fatalf("the packet after: %d bytes, %v", size, err)
	}
}

// What another program sends as a burst is read packet by packet, empty ones
// left out, and so is what it sends one by one.
func TestPlainPeer(t *testing.T) {
	a, b := loopback(t), New(loopback(t))
	for _, size := range []int{5, 0, 1200} {
		if _, err := a.WriteToUDPAddrPort(make([]byte, size), addrOf(b.UDPConn)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := a.WriteMsgUDPAddrPort(make([]byte, 2500), appendSegmentSize(nil, 1000), addrOf(b.UDPConn)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1500)
	for _, want := range []int{5, 1200, 1000, 1000, 500} {
		if n, _, err := b.ReadFromAddrPort(p); n != want || err != nil {
			t.Fatalf("%d bytes, want %d: %v", n, want, err)
		}
	}
}
