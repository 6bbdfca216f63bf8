//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// buildFerry builds the command once for a test.
func buildFerry(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ferry")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// TestE2ECompareGiB carries one gibibyte over every transport, both ways,
// within the memory that the README promises.
func TestE2ECompareGiB(t *testing.T) {
	const peak = 160 << 20
	payload := filepath.Join(t.TempDir(), "payload")
	f, err := os.Create(payload)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{1}), 1<<30); err != nil {
		t.Fatal(err)
	}
	f.Close()

	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), buildFerry(t), "compare", "--file", payload, "--runs", "1", "--link", "loopback", "--baselines=false", "--format", "json")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.Bytes(), errs.Bytes())
	}
	var report result.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 10 {
		t.Errorf("%d results, want memory, ws, wss, quic and webrtc in two directions", len(report.Results))
	}
	for _, r := range report.Results {
		t.Logf("%-7s %-4s %7.1f MB/s  peak %d MiB", r.Transport, r.Direction, r.MBPerS, r.PeakRSSBytes>>20)
		if !r.Verified || r.DeliveredBytes != 1<<30 {
			t.Errorf("%s %s: verified %v, %d bytes, %s", r.Transport, r.Direction, r.Verified, r.DeliveredBytes, r.Error)
		}
		if r.PeakRSSBytes > peak {
			t.Errorf("%s %s: peak memory %d bytes, at most %d", r.Transport, r.Direction, r.PeakRSSBytes, peak)
		}
	}
}
