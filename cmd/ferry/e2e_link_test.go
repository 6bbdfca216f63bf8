//go:build e2e

package main

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/kernelnet"
)

// TestLongLink sends 200 MB between two processes over a link of 100 Mbit/s and
// 50 ms, with the kernel's own TCP and UDP. The time is that of the whole send
// command, so handshake and completion are in it.
func TestLongLink(t *testing.T) {
	const size, rate = 200_000_000, 100e6 / 8
	spec, err := link.ParseSpec("rate=100mbit,rtt=50ms")
	if err != nil {
		t.Fatal(err)
	}
	file := payload(t, memoryDir(t), size, 7)
	want := hashOf(t, file)
	for _, tt := range []struct {
		transport string
		share     float64
	}{{"wss", 0.92}, {"quic", 0.92}, {"webrtc", 0.85}} {
		t.Run(tt.transport, func(t *testing.T) {
			net, err := link.Open(spec, link.Kernel, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			home, dir := t.TempDir(), memoryDir(t)
			at := netip.AddrPortFrom(net.Server().Addr(), 4433).String()
			server := startIn(t, net.Server().(*kernelnet.Host).Run, home, nil,
				"serve", "--dir", dir, "--listen", at, "--json", "--once")
			e, _ := until(t, server, "listening", func(e serveEvent) bool { return e.Event == "listening" })
			begin := time.Now()
			p := startIn(t, net.Client().(*kernelnet.Host).Run, home, nil,
				"send", "--quiet", "--transport", tt.transport, file, e.URL)
			if _, code := p.wait(); code != 0 {
				t.Fatalf("exit code %d: %s", code, p.stderr.String())
			}
			took := time.Since(begin)
			share := size / took.Seconds() / rate
			up, _ := net.Stats()
			t.Logf("%v, %.1f %% of the link; it carried %d bytes and dropped %d for want of room",
				took, 100*share, up.Delivered.Bytes, up.DroppedQueue.Bytes)
			if share < tt.share {
				t.Errorf("%.1f %% of the link, want %.0f", 100*share, 100*tt.share)
			}
			if hashOf(t, filepath.Join(dir, "payload")) != want {
				t.Error("the content differs")
			}
		})
	}
}
