//go:build e2e

package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// interrupted sends part of a file and kills both sides.
func interrupted(t *testing.T, home, dir, addr, file string) (url string) {
	t.Helper()
	receiver, url := serve(t, home, dir, addr)
	p := start(t, home, "send", "--json", "--transport", "wss", "--limit-rate", "40MB", file, url)
	until(t, p, "half of it is acknowledged", func(e sendEvent) bool { return e.Acknowledged > 30<<20 })
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
			receiver.interrupt()
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
	until(t, p, "half of it", func(e sendEvent) bool { return e.Acknowledged > 30<<20 })
	p.interrupt()
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
	stdin, in := pipe(t)
	p := startWith(t, home, stdin, "send", "--name", "stream.bin", "--quiet", "-", url)
	var sent bytes.Buffer
	for begin := time.Now(); time.Since(begin) < 3*time.Second; {
		line := fmt.Appendf(nil, "%d and some more of it\n", sent.Len())
		sent.Write(line)
		if _, err := in.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if _, code := p.wait(); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, "stream.bin"))
	if err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("%d bytes arrived of %d, %v", len(got), sent.Len(), err)
	}
}

// pipe is a standard input for startWith and what writes to it.
func pipe(t *testing.T) (stdin, in *os.File) {
	t.Helper()
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); in.Close() })
	return stdin, in
}
