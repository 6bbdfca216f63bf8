//go:build e2e

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupted sends part of a file and kills both sides.
func interrupted(t *testing.T, home, dir, addr, file string) (url string) {
	t.Helper()
	receiver, url := serve(t, home, dir, addr)
	p := start(t, home, "send", "--json", "--transport", "wss", "--limit-rate", "40MB", file, url)
	until(t, follow(t, p), "half of it is acknowledged", func(e sendEvent) bool { return e.Acknowledged > 30<<20 })
	p.kill()
	receiver.kill()
	return url
}

// partial finds the one file below dir's state whose name matches.
func partial(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".ferry", "*", pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found[0]
}

// TestE2EDamage damages what an interrupted transfer left behind: only what is
// bad is sent again.
func TestE2EDamage(t *testing.T) {
	file := payload(t, memoryDir(t), 64<<20, 7)
	want := hashOf(t, file)
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		most   int64 // bytes sent by the second attempt
		log    string
	}{
		{"nothing", func(*testing.T, string) {}, 40 << 20, ""},
		{"a byte flipped", func(t *testing.T, dir string) {
			f, err := os.OpenFile(partial(t, dir, "data/0"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var b [1]byte
			f.ReadAt(b[:], 5<<20)
			f.WriteAt([]byte{b[0] ^ 1}, 5<<20)
		}, 42 << 20, "block 5"},
		{"journal truncated", func(t *testing.T, dir string) {
			path := partial(t, dir, "journal")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()-7); err != nil {
				t.Fatal(err)
			}
		}, 42 << 20, "journal"},
		{"journal of another file", func(t *testing.T, dir string) {
			path := partial(t, dir, "journal")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw[:64] {
				raw[i] ^= 0x55
			}
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 66 << 20, "journal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
			url := interrupted(t, home, dir, addr, file)
			tt.damage(t, dir)
			receiver, _ := serve(t, home, dir, addr, "--verbose")
			r := newRelay(t, addr)
			out, code, p := send(t, home, "--transport", "wss", file, through(url, addr, r.addr))
			if code != 0 {
				t.Fatalf("exit code %d: %s%s", code, out, p.stderr.String())
			}
			receiver.cmd.Process.Signal(os.Interrupt)
			receiver.cmd.Wait()
			t.Logf("%.1f MiB sent again", float64(r.up.Load())/(1<<20))
			if r.up.Load() > tt.most {
				t.Errorf("%d bytes sent, at most %d", r.up.Load(), tt.most)
			}
			if !strings.Contains(receiver.stderr.String(), tt.log) {
				t.Errorf("the damage %q is not named:\n%s", tt.log, receiver.stderr.String())
			}
			if hashOf(t, filepath.Join(dir, "payload")) != want {
				t.Error("the content differs")
			}
		})
	}
}

// TestE2ESourceChanged changes a file whose transfer was interrupted.
func TestE2ESourceChanged(t *testing.T) {
	home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
	file := payload(t, memoryDir(t), 64<<20, 8)
	url := interrupted(t, home, dir, addr, file)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("changed"), 1<<20)
	f.Close()
	serve(t, home, dir, addr)
	_, code, p := send(t, home, file, url)
	if code != 1 || !strings.Contains(p.stderr.String(), "source changed") || !strings.Contains(p.stderr.String(), "--resume=false") {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	out, code, p := send(t, home, "--resume=false", file, url)
	if code != 0 || hashOf(t, filepath.Join(dir, "payload")) != hashOf(t, file) {
		t.Errorf("exit code %d: %s%s", code, out, p.stderr.String())
	}
}

// TestE2ECauses makes the receiver fail in mid-transfer or before. Both sides
// name the cause at once, and where it can go away the transfer continues.
func TestE2ECauses(t *testing.T) {
	file := payload(t, memoryDir(t), 64<<20, 9)
	want := hashOf(t, file)
	tests := []struct {
		name  string
		args  []string
		setup func(t *testing.T, dir string) (gone func())
		want  string
		stays bool // the cause does not go away
	}{
		{name: "disk full", want: "no space", setup: func(t *testing.T, dir string) func() {
			mount(t, dir, "size=30m")
			return func() { remount(t, dir, "size=200m") }
		}},
		{name: "read-only", want: "read-only", setup: func(t *testing.T, dir string) func() {
			mount(t, dir, "size=200m")
			remount(t, dir, "ro")
			return func() { remount(t, dir, "rw") }
		}},
		{name: "name taken", want: "name taken", setup: func(t *testing.T, dir string) func() {
			taken := filepath.Join(dir, "payload")
			if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(taken) }
		}},
		{name: "too large", args: []string{"--max-size", "10MiB"}, want: "limit", stays: true, setup: func(*testing.T, string) func() { return func() {} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home, dir, addr := t.TempDir(), t.TempDir(), freePort(t)
			gone := tt.setup(t, dir)
			receiver, url := serve(t, home, dir, addr, append(tt.args, "--verbose")...)
			begin := time.Now()
			_, code, p := send(t, home, "--transport", "wss", file, url)
			took := time.Since(begin)
			if code != 1 || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("the sender: exit code %d: %s", code, p.stderr.String())
			}
			t.Logf("the sender knew after %v: %s", took, strings.TrimSpace(p.stderr.String()))
			if took > 4*time.Second { // two of them may pass before the cause arises
				t.Errorf("the sender knew after %v", took)
			}
			if !tt.stays {
				gone()
				out, code, p := send(t, home, "--transport", "wss", file, url)
				if code != 0 || hashOf(t, filepath.Join(dir, "payload")) != want {
					t.Errorf("when the cause was gone: exit code %d: %s%s", code, out, p.stderr.String())
				}
			}
			receiver.cmd.Process.Signal(os.Interrupt)
			receiver.cmd.Wait()
			if !strings.Contains(receiver.stderr.String(), tt.want) {
				t.Errorf("the receiver does not name it:\n%s", receiver.stderr.String())
			}
		})
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

// TestE2EToken sends with a wrong and without a token.
func TestE2EToken(t *testing.T) {
	home, dir := t.TempDir(), memoryDir(t)
	file := payload(t, memoryDir(t), 1<<20, 10)
	_, url := serve(t, home, dir, "127.0.0.1:0", "--token", "correct-horse")
	for _, bad := range []string{strings.Replace(url, "correct", "wrong", 1), strings.Replace(url, "token=correct-horse&", "", 1)} {
		for _, name := range []string{"wss", "quic", "webrtc"} {
			_, code, p := send(t, home, "--transport", name, file, bad)
			if code != 1 || !strings.Contains(p.stderr.String(), "access token refused") {
				t.Errorf("%s: exit code %d: %s", name, code, p.stderr.String())
			}
		}
	}
	if found, _ := os.ReadDir(dir); len(found) != 0 {
		t.Errorf("something of a refused sender is there: %v", found)
	}
	if _, code, p := send(t, home, file, url); code != 0 {
		t.Errorf("with the token: exit code %d: %s", code, p.stderr.String())
	}
}

// TestE2EHalfOpen opens a thousand connections that say nothing while a file is
// sent.
func TestE2EHalfOpen(t *testing.T) {
	home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
	file := payload(t, memoryDir(t), 64<<20, 11)
	receiver, url := serve(t, home, dir, addr)
	for i := range 1000 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			conn.Write([]byte{22, 3, 1}) // the beginning of a TLS handshake
		}
	}
	out, code, p := send(t, home, "--transport", "wss", file, url)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, p.stderr.String())
	}
	t.Log(strings.TrimSpace(out))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", receiver.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "VmHWM:")
	t.Logf("peak memory of the receiver %s", strings.TrimSpace(strings.SplitN(rss, "\n", 2)[0]))
	// An honest client still gets in.
	config := &tls.Config{InsecureSkipVerify: true}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, config)
	if err != nil {
		t.Fatalf("others are shut out: %v", err)
	}
	conn.Close()
}

// TestE2EInterrupt suspends with Ctrl-C and continues with the same command.
func TestE2EInterrupt(t *testing.T) {
	home, dir, addr := t.TempDir(), memoryDir(t), freePort(t)
	file := payload(t, memoryDir(t), 64<<20, 12)
	_, url := serve(t, home, dir, addr)
	p := start(t, home, "send", "--json", "--limit-rate", "40MB", file, url)
	until(t, follow(t, p), "half of it", func(e sendEvent) bool { return e.Acknowledged > 30<<20 })
	p.cmd.Process.Signal(os.Interrupt)
	p.cmd.Wait()
	if p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(p.stderr.String(), "the same command again continues") {
		t.Errorf("exit code %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr.String())
	}
	r := newRelay(t, addr)
	out, code, p := send(t, home, "--transport", "wss", file, through(url, addr, r.addr))
	if code != 0 || r.up.Load() > 42<<20 {
		t.Errorf("exit code %d, %d bytes sent: %s%s", code, r.up.Load(), out, p.stderr.String())
	}
	if hashOf(t, filepath.Join(dir, "payload")) != hashOf(t, file) {
		t.Error("the content differs")
	}
}

// TestE2EStandardInput sends an endless input until it ends.
func TestE2EStandardInput(t *testing.T) {
	home, dir := t.TempDir(), memoryDir(t)
	_, url := serve(t, home, dir, "127.0.0.1:0", "--once")
	binary, err := ferryBinary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "send", "--name", "stream.bin", "--quiet", "-", url)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	for begin := time.Now(); time.Since(begin) < 3*time.Second; {
		line := fmt.Appendf(nil, "%d and some more of it\n", sent.Len())
		sent.Write(line)
		if _, err := in.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, "stream.bin"))
	if err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("%d bytes arrived of %d, %v", len(got), sent.Len(), err)
	}
}

// TestLongTwentyGiB sends a sparse file and watches the memory of both sides.
func TestLongTwentyGiB(t *testing.T) {
	const size = 20 << 30
	file := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	home, dir := t.TempDir(), t.TempDir()
	receiver, url := serve(t, home, dir, "127.0.0.1:0", "--once")
	out, code, p := send(t, home, "--transport", "wss", file, url)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, p.stderr.String())
	}
	io.WriteString(os.Stderr, out)
	receiver.cmd.Wait()
	t.Logf("peak memory: sender %d MiB, receiver %d MiB", p.peakMemory()>>20, receiver.peakMemory()>>20)
}
