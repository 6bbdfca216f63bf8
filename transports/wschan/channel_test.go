package wschan

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/transport"
)

func TestMain(m *testing.M) {
	// Tests that wait for time-outs need no processor of their own.
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func receive(t *testing.T, ch transport.Channel) transport.Message {
	t.Helper()
	m, err := ch.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPair(t *testing.T) {
	for name, pair := range map[string]func(context.Context) (a, b transport.Channel, err error){"ws": Pair, "wss": SecurePair} {
		t.Run(name, func(t *testing.T) {
			a, b, err := pair(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{0, 1, 511, 4096, 48 << 10, 1 << 20} {
				msg := bytes.Repeat([]byte{7}, size)
				for _, way := range [][2]transport.Channel{{a, b}, {b, a}} {
					if err := way[0].Send(msg); err != nil {
						t.Fatal(err)
					}
					if got := receive(t, way[1]); got.Text || !bytes.Equal(got.Data, msg) {
						t.Fatalf("size %d: got %d bytes, text %v", size, len(got.Data), got.Text)
					}
				}
			}
			done := make(chan error)
			go func() { done <- a.Close() }()
			if _, err := b.Receive(t.Context()); err != io.EOF {
				t.Errorf("receive after the peer's close: %v", err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if err := a.Send(nil); !errors.Is(err, transport.ErrClosed) {
				t.Error(err)
			}
		})
	}
}
