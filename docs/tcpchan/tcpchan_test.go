package tcpchan_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/docs/tcpchan"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { transporttest.Run(t, tcpchan.Pair, nil) }

func BenchmarkChannel(b *testing.B) { transporttest.Bench(b, tcpchan.Pair) }

// A stranger says something and hangs up with a FIN, as a killed process does.
func TestHostile(t *testing.T) {
	for name, tt := range map[string]struct {
		said string
		want error
	}{
		"nothing":          {"", transport.ErrAborted},
		"half a header":    {"\x00\x00\x00", transport.ErrAborted},
		"no payload":       {"\x00\x00\x00\x05", transport.ErrAborted},
		"half a message":   {"\x00\x00\x00\x05hel", transport.ErrAborted},
		"promise, 1 MiB":   {"\x01\x10\x00\x00hel", transport.ErrAborted},
		"one byte more":    {"\x01\x10\x00\x01hel", transport.ErrTooLarge},
		"most, 16 MiB":     {"\x00\xff\xff\xffhel", transport.ErrTooLarge},
		"end with payload": {"\x02\x00\x00\x01x", transport.ErrAborted},
		"unknown kind":     {"\xff\x00\x00\x00", transport.ErrAborted},
	} {
		t.Run(name, func(t *testing.T) {
			stranger, ch := dial(t)
			if _, err := stranger.Write([]byte(tt.said)); err != nil {
				t.Fatal(err)
			}
			stranger.CloseWrite() // fails if the channel has hung up already
			msg, err := ch.Receive(t.Context())
			if !errors.Is(err, tt.want) || !errors.Is(err, transport.ErrAborted) {
				t.Errorf("Receive = %q, %v; want an error that matches %v", msg.Data, err, tt.want)
			}
		})
	}
}

// dial returns a bare connection and the channel at its other end.
func dial(t *testing.T) (*net.TCPConn, transport.Channel) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stranger, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stranger.Close() })
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ch := tcpchan.New(accepted.(*net.TCPConn))
	t.Cleanup(func() { ch.Abort() })
	return stranger.(*net.TCPConn), ch
}

// Every block of Go in docs/adapters.md stands in this package, word for word.
func TestExcerpts(t *testing.T) {
	doc := read(t, "../adapters.md")
	code := "\n" + read(t, "tcpchan.go") + read(t, "tcpchan_test.go")
	blocks := strings.Split(doc, "\n```go\n")[1:]
	if n := strings.Count(doc, "```go"); n == 0 || n != len(blocks) {
		t.Fatalf("adapters.md has %d blocks of Go, %d of them at the start of a line", n, len(blocks))
	}
	for _, block := range blocks {
		excerpt, _, closed := strings.Cut(block, "\n```\n")
		if !closed || !strings.Contains(code, "\n"+excerpt+"\n") {
			t.Errorf("adapters.md shows what does not stand in tcpchan.go or tcpchan_test.go:\n%s", excerpt)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
