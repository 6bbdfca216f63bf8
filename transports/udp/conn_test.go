package udp_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/ipv4"

	"github.com/chunkferry/chunkferry/transports/udp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen returns a Conn with room for everything that a test sends.
func listen(tb testing.TB, network, addr string) *udp.Conn {
	tb.Helper()
	at, err := net.ResolveUDPAddr(network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	socket, err := net.ListenUDP(network, at)
	if err != nil {
		tb.Fatal(err)
	}
	if err := socket.SetReadBuffer(4 << 20); err != nil {
		tb.Fatal(err)
	}
	c := udp.New(socket)
	tb.Cleanup(func() { c.Close() })
	return c
}

func addrOf(c *udp.Conn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// packet is n bytes that tell its number and are all alike.
func packet(number, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(number)
	}
	return p
}

func patience(tb testing.TB, c *udp.Conn) {
	tb.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
}

// readers are the ways to read one packet.
var readers = map[string]func(c *udp.Conn, p []byte) (int, netip.AddrPort, error){
	"ReadFromAddrPort": (*udp.Conn).ReadFromAddrPort,
	"ReadFrom": func(c *udp.Conn, p []byte) (int, netip.AddrPort, error) {
		n, from, err := c.ReadFrom(p)
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		return n, from.(*net.UDPAddr).AddrPort(), nil
	},
	"ReadMsgUDP": func(c *udp.Conn, p []byte) (int, netip.AddrPort, error) {
		n, _, _, from, err := c.ReadMsgUDP(p, nil)
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		return n, from.AddrPort(), nil
	},
	"ReadBatch": func(c *udp.Conn, p []byte) (int, netip.AddrPort, error) {
		ms := []ipv4.Message{{Buffers: [][]byte{p}}}
		if _, err := c.ReadBatch(ms, 0); err != nil {
			return 0, netip.AddrPort{}, err
		}
		return ms[0].N, ms[0].Addr.(*net.UDPAddr).AddrPort(), nil
	},
}

func TestPacketsKeepBoundsAndOrder(t *testing.T) {
	repeat := func(n int, sizes ...int) (all []int) {
		for range n {
			all = append(all, sizes...)
		}
		return all
	}
	sizes := map[string][]int{
		"one":             {1200},
		"alike":           repeat(200, 1200),
		"tiny":            repeat(300, 1),
		"large":           repeat(20, 8192),
		"largest":         {65507, 65507, 100},
		"last is smaller": repeat(30, 1200, 1200, 1200, 700),
		"growing":         {10, 20, 30, 40, 1000, 1400, 1401},
		"mixed":           repeat(50, 1200, 60, 1200, 1452, 1452, 9),
	}
	networks := []struct{ name, network, from, at, to string }{
		{"IPv4", "udp4", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "udp6", "[::1]:0", "[::1]:0", "::1"},
		{"dual stack, IPv4", "udp", "127.0.0.1:0", ":0", "127.0.0.1"},
		{"dual stack, IPv6", "udp", ":0", ":0", "::1"},
		{"dual stack to IPv4", "udp", ":0", "127.0.0.1:0", "127.0.0.1"},
	}
	for _, nt := range networks {
		for name, sizes := range sizes {
			for reader, read := range readers {
				t.Run(nt.name+"/"+name+"/"+reader, func(t *testing.T) {
					a, b := listen(t, nt.network, nt.from), listen(t, nt.network, nt.at)
					to := netip.AddrPortFrom(netip.MustParseAddr(nt.to), addrOf(b).Port())
					var writer sync.WaitGroup
					defer writer.Wait()
					writer.Go(func() {
						for i, size := range sizes {
							if n, err := a.WriteTo(packet(i, size), net.UDPAddrFromAddrPort(to)); n != size || err != nil {
								t.Errorf("packet %d: wrote %d of %d: %v", i, n, size, err)
							}
						}
					})
					patience(t, b)
					p := make([]byte, 65536)
					for i, size := range sizes {
						n, from, err := read(b, p)
						if err != nil {
							t.Fatalf("packet %d: %v", i, err)
						}
						if n != size || p[0] != byte(i) || p[n-1] != byte(i) {
							t.Fatalf("packet %d has %d bytes, want %d; begins with %d, ends with %d", i, n, size, p[0], p[n-1])
						}
						if from.Port() != addrOf(a).Port() {
							t.Fatalf("packet %d comes from %v", i, from)
						}
					}
				})
			}
		}
	}
}

func TestShortBufferLosesTheRestOfOnePacket(t *testing.T) {
	a, b := listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")
	for i := range 3 {
		if _, err := a.WriteToAddrPort(packet(i, 1000), addrOf(b)); err != nil {
			t.Fatal(err)
		}
	}
	patience(t, b)
	p := make([]byte, 10)
	for i := range 3 {
		if n, _, err := b.ReadFromAddrPort(p); n != len(p) || p[0] != byte(i) || err != nil {
			t.Fatalf("read %d bytes of packet %d, %v", n, p[0], err)
		}
	}
}

func TestManyWritersToManyPeers(t *testing.T) {
	const writers, packets = 8, 200
	a := listen(t, "udp4", "127.0.0.1:0")
	peers := []*udp.Conn{listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			p := make([]byte, 100+100*w)
			for i := range packets {
				binary.BigEndian.PutUint32(p, uint32(w))
				binary.BigEndian.PutUint32(p[4:], uint32(i))
				for _, peer := range peers {
					if _, err := a.WriteToAddrPort(p, addrOf(peer)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for _, peer := range peers {
		patience(t, peer)
		all.Go(func() {
			var next [writers]uint32
			p := make([]byte, 2000)
			for range writers * packets {
				n, _, err := peer.ReadFromAddrPort(p)
				if err != nil {
					t.Error(err)
					return
				}
				w, i := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
				if n != 100+100*int(w) || i != next[w] {
					t.Errorf("writer %d: packet %d of %d bytes, want %d", w, i, n, next[w])
					return
				}
				next[w]++
			}
		})
	}
	all.Wait()
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	a, b := listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")
	const n = 300
	for i := range n {
		if _, err := a.WriteToAddrPort(packet(i, 1200), addrOf(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	patience(t, b)
	p := make([]byte, 2000)
	for i := range n {
		if _, _, err := b.ReadFromAddrPort(p); err != nil || p[0] != byte(i) {
			t.Fatalf("packet %d: got %d, %v", i, p[0], err)
		}
	}
}

func TestCloseAndDeadlinesWakeReaders(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			c := listen(t, "udp4", "127.0.0.1:0")
			p := make([]byte, 100)
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := read(c, p); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			for range 3 {
				go func() {
					_, _, err := read(c, make([]byte, 100))
					done <- err
				}()
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			for range 3 {
				if err := <-done; !errors.Is(err, net.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
			if _, err := c.WriteToAddrPort(p, addrOf(c)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write after Close: %v", err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Close again: %v", err)
			}
		})
	}
}

func TestWrapLeavesForeignSocketsAlone(t *testing.T) {
	foreign := struct{ net.PacketConn }{listen(t, "udp4", "127.0.0.1:0")}
	if got := udp.Wrap(foreign); got != net.PacketConn(foreign) {
		t.Errorf("Wrap made %T of it", got)
	}
}

func TestAddressOfAnotherNetwork(t *testing.T) {
	c := listen(t, "udp4", "127.0.0.1:0")
	if _, err := c.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
		t.Error("a TCP address is accepted")
	}
}

// Bursts make one system call of many.
func Example() {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	conn := udp.New(socket) // for a quic.Transport, a WebRTC mux, or by itself
	defer conn.Close()
	for i := range 3 {
		if _, err := conn.WriteTo(fmt.Appendf(nil, "packet %d", i), conn.LocalAddr()); err != nil {
			panic(err)
		}
	}
	p := make([]byte, 1500)
	for range 3 {
		n, _, err := conn.ReadFrom(p)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(p[:n]))
	}
	// Output:
	// packet 0
	// packet 1
	// packet 2
}
