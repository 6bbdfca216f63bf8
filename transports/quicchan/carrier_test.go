package quicchan

import (
	"context"
	"sync"
	"testing"
	"time"
)

// The reader sends notices on the stream that the writer writes frames to, in
// several steps. None may end up inside a frame.
func TestNoticesKeepOffFrames(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	l, err := Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := Connect(ctx, l.URL(), &Options{Pin: l.Pin()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(codeAborted, "")
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	c := &carrier{stream: stream}
	if err := c.greet(""); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Abort()

	const n, size = 30, 8 * writeStep
	var wg sync.WaitGroup
	defer wg.Wait()
	written := make(chan struct{})
	wg.Go(func() {
		defer close(written)
		buf := make([]byte, frameHeaderSize+size)
		for i := range n {
			for j := range buf {
				buf[j] = byte(i + 1)
			}
			if err := c.WriteMessage(buf, false); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-written:
				return
			default:
				c.noticed = time.Unix(1, 0) // as if long ago
				c.notice()
			}
		}
	})
	for i := range n {
		got, err := peer.Receive(ctx)
		if err != nil || len(got.Data) != size {
			t.Fatalf("message %d: %d bytes, %v", i, len(got.Data), err)
		}
		for j, x := range got.Data {
			if x != byte(i+1) {
				t.Fatalf("message %d: byte %d is %d", i, j, x)
			}
		}
	}
}
