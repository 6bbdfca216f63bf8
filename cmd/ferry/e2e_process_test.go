//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"lukechampine.com/blake3"
)

var ferryBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ferry-e2e-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ferry")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return path, err
})

// process is a running ferry.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// start starts ferry with a configuration directory of the test's own.
func start(t *testing.T, home string, args ...string) *process {
	t.Helper()
	binary, err := ferryBinary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(binary, args...)}
	p.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home)
	p.cmd.Stderr = &p.stderr
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(pipe)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		io.Copy(io.Discard, p.stdout)
		p.cmd.Wait()
	}
}

// wait returns what the process still has to say, and its exit code.
func (p *process) wait() (stdout string, code int) {
	rest, _ := io.ReadAll(p.stdout)
	p.cmd.Wait()
	return string(rest), p.cmd.ProcessState.ExitCode()
}

// peakMemory is the process's highest resident set; it must have ended.
func (p *process) peakMemory() int64 {
	return p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// serve starts a receiver and returns its URL. addr is host:port.
func serve(t *testing.T, home, dir, addr string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, home, append([]string{"serve", "--dir", dir, "--listen", addr, "--json", "--min-free", "1MiB"}, args...)...)
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		p.kill()
		t.Fatalf("serve: %v\n%s", err, p.stderr.String())
	}
	var e serveEvent
	if err := json.Unmarshal(line, &e); err != nil || e.URL == "" {
		t.Fatalf("serve: %v in %s", err, line)
	}
	go io.Copy(io.Discard, p.stdout)
	return p, e.URL
}

// send runs a sender to its end.
func send(t *testing.T, home string, args ...string) (stdout string, code int, p *process) {
	t.Helper()
	p = start(t, home, append([]string{"send"}, args...)...)
	stdout, code = p.wait()
	return stdout, code, p
}

// payload makes a file of incompressible bytes.
func payload(t *testing.T, dir string, size int64, seed byte) string {
	t.Helper()
	path := filepath.Join(dir, "payload")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{seed}), size); err != nil {
		t.Fatal(err)
	}
	return path
}

func hashOf(t *testing.T, path string) [32]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := blake3.New(32, nil)
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// memoryDir is a directory in memory where there is one, so that a test
// measures the transfer and not the disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ferry-e2e-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// freePort finds a port that TCP and UDP can have.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// through sends a URL's traffic over another address.
func through(url, from, to string) string { return strings.Replace(url, from, to, 1) }
