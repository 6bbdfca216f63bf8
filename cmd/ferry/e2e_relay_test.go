//go:build e2e

package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay forwards TCP and UDP to another address. It counts what the dialling
// side sends over TCP, and can be made a black hole for UDP.
type relay struct {
	addr   string
	up     atomic.Int64 // bytes over TCP
	noUDP  atomic.Bool
	target string
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	addr := freePort(t)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); udp.Close() })
	r := &relay{addr: addr, target: target}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go r.tcp(in)
		}
	}()
	go r.udp(udp)
	return r
}

func (r *relay) tcp(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.Copy(in, out)
		in.Close()
	}()
	io.Copy(io.MultiWriter(out, counter{&r.up}), in)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// udp gives every client a socket of its own towards the target.
func (r *relay) udp(front net.PacketConn) {
	var mu sync.Mutex
	backs := map[string]net.Conn{}
	buf := make([]byte, 64<<10)
	for {
		n, client, err := front.ReadFrom(buf)
		if err != nil {
			break
		}
		if r.noUDP.Load() {
			continue
		}
		mu.Lock()
		back, ok := backs[client.String()]
		if !ok {
			if back, err = net.Dial("udp", r.target); err != nil {
				mu.Unlock()
				continue
			}
			backs[client.String()] = back
			go func() {
				buf := make([]byte, 64<<10)
				for {
					n, err := back.Read(buf)
					if err != nil {
						return
					}
					if !r.noUDP.Load() {
						front.WriteTo(buf[:n], client)
					}
				}
			}()
		}
		mu.Unlock()
		back.Write(buf[:n])
	}
	mu.Lock()
	defer mu.Unlock()
	for _, back := range backs {
		back.Close()
	}
}
