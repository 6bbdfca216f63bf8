//go:build e2e

package main

import (
	"path/filepath"
	"testing"
	"time"
)

// TestE2EFailover blocks UDP in the middle of a transfer over QUIC.
func TestE2EFailover(t *testing.T) {
	file := payload(t, memoryDir(t), 256<<20, 5)
	want := hashOf(t, file)
	home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
	_, url := serve(t, home, dir, addr, "--once")
	r := newRelay(t, addr)
	p := start(t, home, "send", "--json", "--limit-rate", "25MB", file, through(url, addr, r.addr))
	until(t, p, "connected over quic", func(e sendEvent) bool { return e.Event == "connected" && e.Transport == "quic" })
	until(t, p, "some of it is acknowledged", func(e sendEvent) bool { return e.Acknowledged > 8<<20 })
	r.noUDP.Store(true)
	blocked := time.Now()
	until(t, p, "connected over wss", func(e sendEvent) bool { return e.Event == "connected" && e.Transport == "wss" })
	took := time.Since(blocked)
	t.Logf("over wss %v after UDP was blocked", took)
	if took > 5*time.Second {
		t.Errorf("took %v, at most 5 s", took)
	}
	r.noUDP.Store(false)
	last, _ := until(t, p, "complete", func(e sendEvent) bool { return e.Event == "complete" })
	if len(last.Transports) != 2 || last.Transports[0] != "quic" || last.Transports[1] != "wss" {
		t.Errorf("carried by %v", last.Transports)
	}
	if _, code := p.wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	if hashOf(t, filepath.Join(dir, "payload")) != want {
		t.Error("the content differs")
	}
}

// TestE2EBlockedFromTheStart compares how long the first acknowledged byte
// takes over wss alone, and with QUIC preferred and UDP blocked.
func TestE2EBlockedFromTheStart(t *testing.T) {
	file := payload(t, memoryDir(t), 64<<20, 6)
	first := func(transport string) time.Duration {
		home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
		_, url := serve(t, home, dir, addr, "--once")
		r := newRelay(t, addr)
		r.noUDP.Store(true)
		begin := time.Now()
		p := start(t, home, "send", "--json", "--transport", transport, file, through(url, addr, r.addr))
		until(t, p, "first byte", func(e sendEvent) bool { return e.Acknowledged > 0 || e.Event == "complete" })
		return time.Since(begin)
	}
	alone, raced := first("wss"), first("auto")
	t.Logf("first byte after %v over wss alone, %v with UDP blocked", alone, raced)
	if raced > alone+1500*time.Millisecond {
		t.Errorf("UDP blocked costs %v, at most 1.5 s", raced-alone)
	}
}
