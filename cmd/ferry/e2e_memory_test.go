//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// longSizeEnv says how much TestLongMemory sends, like "20GiB".
const longSizeEnv = "FERRY_TEST_LONG_SIZE"

// TestLongMemory sends a large sparse file over every transport and bounds the
// memory of both processes by the formula of docs/transfers.md.
func TestLongMemory(t *testing.T) {
	total := size.Bytes(20 << 30)
	if s := os.Getenv(longSizeEnv); s != "" {
		if err := total.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(total)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ws", "wss", "quic", "webrtc"} {
		t.Run(name, func(t *testing.T) {
			home, dir := t.TempDir(), t.TempDir()
			args := []string{"--once"}
			if name == "ws" {
				args = append(args, "--plain")
			}
			receiver, url := serve(t, home, dir, "127.0.0.1:0", args...)
			out, code, sender := send(t, home, "--transport", name, file, url)
			if code != 0 {
				t.Fatalf("exit code %d: %s%s", code, out, sender.stderr.String())
			}
			base := int64(64 << 20)
			if name == "webrtc" {
				base = 128 << 20
			}
			blocks := int64(total) >> 20 * 40
			if most := base + 48<<20 + blocks; sender.peakMemory() > most {
				t.Errorf("the sender took %d bytes, at most %d", sender.peakMemory(), most)
			}
			if most := base + 16<<20 + blocks; receiver.peakMemory() > most {
				t.Errorf("the receiver took %d bytes, at most %d", receiver.peakMemory(), most)
			}
			t.Logf("peak memory: sender %d MiB, receiver %d MiB; %s", sender.peakMemory()>>20, receiver.peakMemory()>>20, out)
			if info, err := os.Stat(filepath.Join(dir, "sparse")); err != nil || info.Size() != int64(total) {
				t.Errorf("received %v, %v", info, err)
			}
		})
	}
}
