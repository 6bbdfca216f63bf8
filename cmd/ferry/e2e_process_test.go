//go:build e2e

package main

import (
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
	"time"

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

// process is a running ferry. Its output is gathered as it comes.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr transcript
	seen           int           // lines of stdout that until has looked at
	ended          chan struct{} // closed when the process has ended and all of its output is here
}

// start starts ferry with a configuration directory of the test's own.
func start(t *testing.T, home string, args ...string) *process {
	t.Helper()
	return startWith(t, home, nil, args...)
}

// startWith is start with a standard input.
func startWith(t *testing.T, home string, stdin *os.File, args ...string) *process {
	t.Helper()
	return startIn(t, func(start func() error) error { return start() }, home, stdin, args...)
}

// startIn is startWith in a surrounding, such as a network namespace.
func startIn(t *testing.T, in func(start func() error) error, home string, stdin *os.File, args ...string) *process {
	t.Helper()
	binary, err := ferryBinary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if err := in(p.cmd.Start); err != nil {
		t.Fatal(err)
	}
	go func() { // the only one that waits
		defer close(p.ended)
		p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// kill kills the process, if it still runs, and waits for its end.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// interrupt is Ctrl-C; it waits for the process's end.
func (p *process) interrupt() {
	p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
}

// wait waits for the process's end, and returns what it has said and its exit
// code.
func (p *process) wait() (stdout string, code int) {
	<-p.ended
	return p.stdout.String(), p.cmd.ProcessState.ExitCode()
}

// over reports whether the process has ended.
func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// until returns the first JSON event on standard output, of those that no
// earlier call has seen, that is wanted, and when it came.
func until[E any](t *testing.T, p *process, what string, wanted func(E) bool) (E, time.Time) {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for ended := false; ; {
		lines, more := p.stdout.lines(p.seen)
		for _, l := range lines {
			p.seen++
			var e E
			if json.Unmarshal([]byte(l.text), &e) == nil && wanted(e) {
				return e, l.at
			}
		}
		if ended {
			t.Fatalf("ended without: %s\n%s%s", what, p.stdout.String(), p.stderr.String())
		}
		select {
		case <-more:
		case <-p.ended:
			ended = true
		case <-timeout:
			t.Fatalf("timeout: %s\n%s%s", what, p.stdout.String(), p.stderr.String())
		}
	}
}

// transcript is what a process writes, with the time at which each line came.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	part int // bytes of text that are not a whole line yet
	list []line
	more chan struct{} // closed when there is another line
}

type line struct {
	text string
	at   time.Time
}

func (r *transcript) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(b)
	now := time.Now()
	for {
		rest := r.text.Bytes()[r.part:]
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			return len(b), nil
		}
		r.list = append(r.list, line{string(rest[:n]), now})
		r.part += n + 1
		if r.more != nil {
			close(r.more)
			r.more = nil
		}
	}
}

// lines returns the whole lines from the i-th on, and what is closed when there
// is another one.
func (r *transcript) lines(i int) ([]line, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return r.list[i:], r.more
}

func (r *transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// peakMemory is the process's highest resident set in bytes, known when it has
// ended.
func (p *process) peakMemory() int64 {
	<-p.ended
	return p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// serve starts a receiver and returns its URL. addr is host:port.
func serve(t *testing.T, home, dir, addr string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, home, append([]string{"serve", "--dir", dir, "--listen", addr, "--json", "--min-free", "1MiB"}, args...)...)
	e, _ := until(t, p, "listening", func(e serveEvent) bool { return e.Event == "listening" })
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
