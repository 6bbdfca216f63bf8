//go:build e2e

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mostToTell is how long either side may take to name a cause.
const mostToTell = 2 * time.Second

// told waits until both sides have named a cause, and checks that they did so
// soon after it arose. The zero time stands for the receiver's own noticing.
func told(t *testing.T, receiver, sender *process, arose time.Time, code string) {
	t.Helper()
	r, at := until(t, receiver, "the receiver names "+code, func(e serveEvent) bool { return e.Code == code })
	if arose.IsZero() {
		arose = at
	}
	s, then := until(t, sender, "the sender names "+code, func(e sendEvent) bool { return e.Code == code })
	t.Logf("the receiver, after %v: %s", at.Sub(arose).Round(time.Millisecond), r.Error)
	t.Logf("the sender, after %v: %s", then.Sub(arose).Round(time.Millisecond), s.Error)
	if took := max(at.Sub(arose), then.Sub(arose)); took > mostToTell {
		t.Errorf("named after %v, at most %v", took, mostToTell)
	}
}

// TestE2ECauses makes the receiver's storage fail in the middle of a transfer
// of two files. Both sides name the cause at once, nothing that had arrived is
// sent again, and the same command continues when the cause is gone.
func TestE2ECauses(t *testing.T) {
	const size = 16 << 20 // of each file
	src := memoryDir(t)
	files := []string{filepath.Join(src, "a"), filepath.Join(src, "b")}
	for i, f := range files {
		if err := os.Rename(payload(t, src, size, byte(40+i)), f); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name       string
		code       string
		cause      func(t *testing.T, dir string) (gone func())
		transports []string
	}{
		{"disk full", "no-space", func(t *testing.T, dir string) func() {
			return fill(t, filepath.Join(dir, "of another process"))
		}, []string{"wss", "quic", "webrtc"}},
		{"read-only", "read-only", func(t *testing.T, dir string) func() {
			chattr(t, "+i", dir)
			return func() { chattr(t, "-i", dir) }
		}, []string{"wss"}},
		{"name taken", "exists", func(t *testing.T, dir string) func() {
			taken := filepath.Join(dir, "b")
			if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(taken) }
		}, []string{"wss"}},
	} {
		for _, transport := range tt.transports {
			t.Run(tt.name+"/"+transport, func(t *testing.T) {
				home, dir := t.TempDir(), t.TempDir()
				mount(t, dir, "size=64m")
				receiver, url := serve(t, home, dir, "127.0.0.1:0")
				command := append([]string{"send", "--json", "--transport", transport, "--limit-rate", "16MiB"}, append(files, url)...)
				sender := start(t, home, command...)
				kept, _ := until(t, sender, "some of it", func(e sendEvent) bool { return e.Acknowledged > 4<<20 })
				gone := tt.cause(t, dir)
				arose := time.Now()
				if tt.code != "read-only" { // shows when the second file begins, or gets its name
					arose = time.Time{}
				}
				told(t, receiver, sender, arose, tt.code)
				if out, code := sender.wait(); code != 1 {
					t.Errorf("exit code %d: %s%s", code, out, sender.stderr.String())
				}
				gone()
				again := start(t, home, command...)
				last, _ := until(t, again, "complete", func(e sendEvent) bool { return e.Event == "complete" })
				if last.Sent > 2*size-kept.Acknowledged {
					t.Errorf("%d bytes were sent again, although %d of %d had arrived", last.Sent, kept.Acknowledged, 2*size)
				}
				for _, f := range files {
					if hashOf(t, filepath.Join(dir, filepath.Base(f))) != hashOf(t, f) {
						t.Errorf("the content of %s differs", filepath.Base(f))
					}
				}
			})
		}
	}
}

// fill takes all the space that is left, until it is called off.
func fill(t *testing.T, path string) (gone func()) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(zeros)
	}
	if !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		t.Fatal(err)
	}
	return func() { os.Remove(path) }
}

// TestE2ECausesOfStream lets a standard input of unknown length meet a full
// disk. Its sender, which nobody can replace, waits and continues by itself.
func TestE2ECausesOfStream(t *testing.T) {
	file := payload(t, memoryDir(t), 40<<20, 9)
	for _, transport := range []string{"wss", "quic", "webrtc"} {
		t.Run(transport, func(t *testing.T) {
			home, dir := t.TempDir(), t.TempDir()
			mount(t, dir, "size=24m")
			receiver, url := serve(t, home, dir, "127.0.0.1:0")
			stdin, in := pipe(t)
			sender := startWith(t, home, stdin, "send", "--json", "--transport", transport, "--name", "stream", "-", url)
			rest := feed(t, in, file, 4<<20)
			until(t, sender, "the beginning", func(e sendEvent) bool { return e.Acknowledged >= 3<<20 })
			arose := time.Now() // or later: as much more as the disk has room for
			rest()
			told(t, receiver, sender, arose, "no-space")
			until(t, sender, "waiting", func(e sendEvent) bool { return e.Event == "waiting" && e.Code == "no-space" })
			remount(t, dir, "size=200m")
			freed := time.Now()
			if out, code := sender.wait(); code != 0 {
				t.Fatalf("exit code %d: %s%s", code, out, sender.stderr.String())
			}
			t.Logf("complete %v after there was room", time.Since(freed).Round(time.Millisecond))
			if hashOf(t, filepath.Join(dir, "stream")) != hashOf(t, file) {
				t.Error("the content differs")
			}
		})
	}
}

// feed writes the first bytes of a file into a pipe, and the others when rest
// is called.
func feed(t *testing.T, in *os.File, path string, first int64) (rest func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := io.CopyN(in, f, first); err != nil {
		t.Fatal(err)
	}
	return func() {
		go func() {
			defer in.Close()
			io.Copy(in, f) // a sender that gives up closes the pipe
		}()
	}
}

// TestE2EQuota sends more than --max-size allows: with a size that is known
// before anything travels, and with one that turns out in the middle.
func TestE2EQuota(t *testing.T) {
	file := payload(t, memoryDir(t), 24<<20, 10)
	home, dir := t.TempDir(), memoryDir(t)
	addr := freePort(t)
	receiver, url := serve(t, home, dir, addr, "--max-size", "10MiB")
	for _, transport := range []string{"wss", "quic", "webrtc"} {
		t.Run("known/"+transport, func(t *testing.T) {
			arose := time.Now()
			sender := start(t, home, "send", "--json", "--transport", transport, file, url)
			told(t, receiver, sender, arose, "limit")
			if _, code := sender.wait(); code != 1 {
				t.Errorf("exit code %d", code)
			}
		})
		t.Run("unknown/"+transport, func(t *testing.T) {
			stdin, in := pipe(t)
			sender := startWith(t, home, stdin, "send", "--json", "--transport", transport, "-", url)
			rest := feed(t, in, file, 4<<20)
			until(t, sender, "the beginning", func(e sendEvent) bool { return e.Acknowledged >= 3<<20 })
			arose := time.Now()
			rest()
			told(t, receiver, sender, arose, "limit")
			if _, code := sender.wait(); code != 1 {
				t.Errorf("exit code %d", code)
			}
		})
	}
	receiver.interrupt()
	serve(t, home, dir, addr, "--max-size", "30MiB")
	if out, code, p := send(t, home, file, url); code != 0 || hashOf(t, filepath.Join(dir, "payload")) != hashOf(t, file) {
		t.Errorf("with a higher limit: exit code %d: %s%s", code, out, p.stderr.String())
	}
}

// mount puts a file system of its own on dir, as only root may.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func remount(t *testing.T, dir, options string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+options, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
}

// chattr makes a directory immutable, also for root (chattr(1)): a file system
// cannot be made read-only while files on it are open for writing.
func chattr(t *testing.T, flag, dir string) {
	t.Helper()
	if out, err := exec.Command("chattr", flag, dir).CombinedOutput(); err != nil {
		t.Fatalf("chattr: %v: %s", err, out)
	}
}
