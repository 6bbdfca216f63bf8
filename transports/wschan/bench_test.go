package wschan

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transport"
)

// BenchmarkThroughput sends messages one way and counts them where they
// arrive: over a channel, and over the bare library on the same kind of
// connection. "up" is from the client, which masks.
func BenchmarkThroughput(b *testing.B) {
	const size = 48 << 10
	for _, scheme := range []string{"ws", "wss"} {
		for _, direction := range []string{"up", "down"} {
			name := fmt.Sprintf("scheme=%s/direction=%s/size=48KiB", scheme, direction)
			b.Run("adapter=wschan/"+name, func(b *testing.B) { benchAdapter(b, scheme, direction, size) })
			b.Run("raw=coder/"+name, func(b *testing.B) { benchRaw(b, scheme, direction, size) })
		}
	}
}

func benchAdapter(b *testing.B, scheme, direction string, size int) {
	pair := Pair
	if scheme == "wss" {
		pair = SecurePair
	}
	from, to, err := pair(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer transport.Abort(from)
	defer transport.Abort(to)
	if direction == "down" {
		from, to = to, from
	}
	msg := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error, 1)
	go func() {
		for range b.N {
			if from.BufferedAmount() > 256<<10 {
				if err := transport.Drain(b.Context(), from, 64<<10); err != nil {
					done <- err
					return
				}
			}
			if err := from.Send(msg); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range b.N {
		m, err := to.Receive(b.Context())
		if err != nil || len(m.Data) != size {
			b.Fatal(len(m.Data), err)
		}
	}
	b.StopTimer()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func benchRaw(b *testing.B, scheme, direction string, size int) {
	accepted := make(chan *websocket.Conn, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			accepted <- conn
		}
	}))
	if scheme == "wss" {
		server.StartTLS()
	} else {
		server.Start()
	}
	defer server.Close()
	ctx := context.Background()
	from, _, err := websocket.Dial(ctx, strings.Replace(server.URL, "http", "ws", 1), &websocket.DialOptions{HTTPClient: server.Client()})
	if err != nil {
		b.Fatal(err)
	}
	defer from.CloseNow()
	to := <-accepted
	defer to.CloseNow()
	if direction == "down" {
		from, to = to, from
	}
	to.SetReadLimit(-1)
	msg, buf := make([]byte, size), make([]byte, size+1)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error, 1)
	go func() {
		for range b.N {
			if err := from.Write(ctx, websocket.MessageBinary, msg); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range b.N {
		_, r, err := to.Reader(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.ReadFull(r, buf); err != io.ErrUnexpectedEOF || n != size {
			b.Fatal(n, err)
		}
	}
	b.StopTimer()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
