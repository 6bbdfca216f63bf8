package quicchan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newPair opens a pair and aborts what the test leaves open.
func newPair(t *testing.T) (a, b transport.Channel) {
	t.Helper()
	a, b, err := quicchan.Pair(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { transport.Abort(a); transport.Abort(b) })
	return a, b
}

func send(t *testing.T, ch transport.MessageChannel, msg []byte) {
	t.Helper()
	for {
		err := ch.Send(msg)
		if err == nil {
			return
		}
		if !errors.Is(err, transport.ErrBufferFull) {
			t.Fatal(err)
		}
		if err := transport.Drain(testContext(t), ch, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseDeliversEverything(t *testing.T) {
	for _, who := range []string{"dialler", "acceptor"} {
		t.Run(who, func(t *testing.T) {
			a, b := newPair(t)
			if who == "acceptor" {
				a, b = b, a
			}
			const n = 256
			msg := bytes.Repeat([]byte{7}, 16<<10)
			for range n {
				send(t, a, msg)
			}
			closed := make(chan error, 1)
			go func() { closed <- a.Close() }()
			for i := range n {
				got, err := b.Receive(testContext(t))
				if err != nil || !bytes.Equal(got.Data, msg) {
					t.Fatalf("message %d: %d bytes, %v", i, len(got.Data), err)
				}
			}
			if _, err := b.Receive(testContext(t)); err != io.EOF {
				t.Errorf("after the last: %v, want io.EOF", err)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
			start := time.Now()
			if err := b.Close(); err != nil {
				t.Errorf("Close of the other side: %v", err)
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("Close of the other side took %v", d)
			}
		})
	}
}
