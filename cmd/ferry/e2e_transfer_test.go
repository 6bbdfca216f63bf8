//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestE2ETransferGiB sends one gibibyte between two processes over each
// transport.
func TestE2ETransferGiB(t *testing.T) {
	src := memoryDir(t)
	file := payload(t, src, 1<<30, 3)
	want := hashOf(t, file)
	for _, name := range []string{"ws", "wss", "quic", "webrtc"} {
		t.Run(name, func(t *testing.T) {
			home, dir := t.TempDir(), memoryDir(t)
			args := []string{"--once"}
			if name == "ws" {
				args = append(args, "--plain")
			}
			receiver, url := serve(t, home, dir, "127.0.0.1:0", args...)
			out, code, sender := send(t, home, "--transport", name, "--json", file, url)
			if code != 0 {
				t.Fatalf("exit code %d\n%s%s", code, out, sender.stderr.String())
			}
			receiver.wait()
			if hashOf(t, filepath.Join(dir, "payload")) != want {
				t.Error("the content differs")
			}
			var last sendEvent
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Event != "complete" {
				t.Fatalf("last line %q: %v", lines[len(lines)-1], err)
			}
			t.Logf("%.1f MB/s, peak memory of the sender %d MiB, of the receiver %d MiB",
				last.MBPerS, sender.peakMemory()>>20, receiver.peakMemory()>>20)
			if last.BLAKE3 != fmt.Sprintf("%x", want) || len(last.Transports) != 1 || last.Transports[0] != name {
				t.Errorf("result %+v", last)
			}
			if last.Sent > 1<<30+1<<20 {
				t.Errorf("%d bytes sent for a gibibyte", last.Sent)
			}
		})
	}
}

// TestE2EKill kills sender, receiver or both at thirty random instants of one
// transfer after another. Every restart continues; what is sent in all stays
// close to what there is to send.
func TestE2EKill(t *testing.T) {
	const (
		size    = 256 << 20
		kills   = 30
		perKill = 8 << 20
	)
	src := memoryDir(t)
	file := payload(t, src, size, 4)
	want := hashOf(t, file)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	killed := 0
	for round := 0; killed < kills; round++ {
		home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
		r := newRelay(t, addr)
		final := filepath.Join(dir, "payload")
		receiver, url := serve(t, home, dir, addr)
		url = through(url, addr, r.addr)
		newSender := func() *process {
			return start(t, home, "send", "--transport", "wss", "--limit-rate", "80MB", "--quiet", file, url)
		}
		sender := newSender()
		inRound := 0
		for !sender.over() {
			if killed < kills {
				instant := time.Duration(50+random.IntN(600)) * time.Millisecond
				select {
				case <-time.After(instant): // the instant is what is random
				case <-sender.ended:
					continue
				}
				who := random.IntN(3)
				if who != 0 {
					receiver.kill()
				}
				if who != 1 {
					sender.kill()
				}
				killed++
				inRound++
				if _, err := os.Stat(final); err == nil && hashOf(t, final) != want {
					t.Fatal("a partial file has the final name")
				}
				if who != 0 {
					receiver, _ = serve(t, home, dir, addr)
				}
				if who != 1 {
					sender = newSender()
				}
				continue
			}
			<-sender.ended
		}
		if code := sender.cmd.ProcessState.ExitCode(); code != 0 {
			t.Fatalf("round %d: exit code %d: %s", round, code, sender.stderr.String())
		}
		receiver.kill()
		if hashOf(t, final) != want {
			t.Fatal("the content differs")
		}
		limit := int64(size*105/100) + int64(inRound*perKill)
		t.Logf("round %d: %d kills, %.3f of the file sent", round, inRound, float64(r.up.Load())/size)
		if sent := r.up.Load(); sent > limit {
			t.Errorf("round %d: %d bytes sent, at most %d", round, sent, limit)
		}
	}
}

// TestE2EManyFiles sends ten thousand small files in nested directories.
func TestE2EManyFiles(t *testing.T) {
	src := filepath.Join(memoryDir(t), "tree")
	const files = 10_000
	for i := range files {
		dir := filepath.Join(src, fmt.Sprint(i%10), fmt.Sprint(i/10%10), fmt.Sprint(i/100%10))
		if i < 1000 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		content := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 2048)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"wss", "quic"} {
		t.Run(name, func(t *testing.T) {
			home, dir := t.TempDir(), t.TempDir()
			_, url := serve(t, home, dir, "127.0.0.1:0", "--once")
			begin := time.Now()
			out, code, p := send(t, home, "--transport", name, src, url)
			took := time.Since(begin)
			if code != 0 {
				t.Fatalf("exit code %d: %s%s", code, out, p.stderr.String())
			}
			t.Logf("%d files in %v", files, took)
			if took > 6*time.Second {
				t.Errorf("took %v, at most 6 s", took)
			}
			for _, i := range []int{0, 1, 4711, files - 1} {
				path := filepath.Join(dir, "tree", fmt.Sprint(i%10), fmt.Sprint(i/10%10), fmt.Sprint(i/100%10), fmt.Sprint(i))
				got, err := os.ReadFile(path)
				if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 2048)) {
					t.Errorf("file %d: %v", i, err)
				}
			}
		})
	}
}
