package wschan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transport"
)

const opPing = 0x9

// fill queues messages of size bytes, n of them, each beginning with its
// number.
func fill(t *testing.T, ch transport.Channel, n, size int) {
	t.Helper()
	msg := make([]byte, size)
	for i := range n {
		copy(msg, fmt.Sprintf("%08d", i))
		if err := ch.Send(msg); err != nil {
			t.Fatalf("send %d: %v", i, err)
		}
	}
}

// wantEnd receives up to the end and compares it.
func wantEnd(t *testing.T, ch transport.Channel, want error) {
	t.Helper()
	for {
		_, err := ch.Receive(t.Context())
		if err == nil {
			continue
		}
		if !errors.Is(err, want) {
			t.Errorf("receive: %v, want %v", err, want)
		}
		if want != io.EOF && errors.Is(err, io.EOF) {
			t.Errorf("%v looks like a graceful end", err)
		}
		return
	}
}

// The library closes a connection whose pong it cannot write for 5 seconds.
func TestPingWhileTheWriterIsBlocked(t *testing.T) {
	t.Parallel()
	client, ch := acceptRaw(t, nil)
	const n, size = 15, 1 << 20
	fill(t, ch, n, size)
	for stalled := -1; stalled != ch.BufferedAmount(); time.Sleep(200 * time.Millisecond) {
		stalled = ch.BufferedAmount()
	}
	if ch.BufferedAmount() == 0 {
		t.Fatal("the kernel took everything")
	}
	for i := range 1000 { // a flood: only the last must be answered
		client.write(opPing, fmt.Append(nil, i))
	}
	time.Sleep(7 * time.Second) // the library's limit is what this waits for

	got, ponged := 0, false
	for got < n || !ponged {
		opcode, payload, err := client.read()
		if err != nil {
			t.Fatalf("after %d messages, pong %v: %v", got, ponged, err)
		}
		switch opcode {
		case opBinary:
			got++
		case opPong:
			ponged = ponged || string(payload) == "999"
		}
	}
	client.write(opText, []byte("alive"))
	if m := receive(t, ch); string(m.Data) != "alive" || !m.Text {
		t.Errorf("got %q", m.Data)
	}
}

func TestPingWhileNobodyReceives(t *testing.T) {
	client, ch := acceptRaw(t, nil)
	client.write(opBinary, []byte("early"))
	for _, ping := range []string{"are you there?", "", "still?"} {
		client.write(opPing, []byte(ping))
		if opcode, payload, err := client.read(); err != nil || opcode != opPong || string(payload) != ping {
			t.Errorf("opcode %x, %q, %v", opcode, payload, err)
		}
	}
	if m := receive(t, ch); string(m.Data) != "early" {
		t.Errorf("got %q", m.Data)
	}
}

// The library's Close gives a peer 5 seconds, and then destroys what the peer
// has not read.
func TestCloseWaitsForAReaderThatPauses(t *testing.T) {
	t.Parallel()
	const size = 256 << 10
	for _, tt := range []struct {
		name   string
		secure bool
		n      int // messages
	}{
		{"the queue waits", false, 64},
		{"the queue waits, wss", true, 64},
		{"the answer waits", false, 6},
		{"the answer waits, wss", true, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b, err := open(t.Context(), &Options{Secure: tt.secure})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, a, tt.n, size)
			done := make(chan error, 1)
			go func() { done <- a.Close() }()
			time.Sleep(7 * time.Second) // the library's limit is what this waits for
			for i := range tt.n {
				m := receive(t, b)
				if len(m.Data) != size || string(m.Data[:8]) != fmt.Sprintf("%08d", i) {
					t.Fatalf("message %d: %d bytes, %q", i, len(m.Data), m.Data[:8])
				}
			}
			wantEnd(t, b, io.EOF)
			if err := errors.Join(<-done, b.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A peer whose window does not move any more reads as long as its pongs come.
func TestPongsKeepCloseWaiting(t *testing.T) {
	t.Parallel()
	client, ch := acceptRaw(t, &Options{CloseTimeout: time.Second})
	done := make(chan error, 1)
	go func() { done <- ch.Close() }()
	client.wantClose(codeNormal)
	for range 12 {
		client.write(opPong, []byte(sign))
		time.Sleep(250 * time.Millisecond) // the reader's pace
	}
	client.writeClose(codeNormal)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A heartbeat says nothing about reading.
func TestHeartbeatsDoNotKeepCloseWaiting(t *testing.T) {
	t.Parallel()
	client, ch := acceptRaw(t, &Options{CloseTimeout: 500 * time.Millisecond})
	done := make(chan error, 1)
	go func() { done <- ch.Close() }()
	client.wantClose(codeNormal)
	beat := time.NewTicker(50 * time.Millisecond)
	defer beat.Stop()
	for range 200 {
		select {
		case err := <-done:
			if !errors.Is(err, transport.ErrUndelivered) {
				t.Errorf("close: %v", err)
			}
			return
		case <-beat.C:
			client.write(opPong, nil)
		}
	}
	t.Error("Close waits for a peer that only sends heartbeats")
}

func TestReaderTellsThatItReads(t *testing.T) {
	t.Parallel()
	client, ch := acceptRaw(t, nil)
	start := time.Now()
	go func() {
		for client.failed == nil {
			client.write(opBinary, make([]byte, 100))
			if _, err := ch.Receive(t.Context()); err != nil {
				return
			}
		}
	}()
	for pongs := range 3 {
		if opcode, payload, err := client.read(); err != nil || opcode != opPong || string(payload) != sign {
			t.Fatalf("after %d pongs: opcode %x, %q, %v", pongs, opcode, payload, err)
		}
	}
	if took := time.Since(start); took < 2*signEvery {
		t.Errorf("3 pongs in %v", took)
	}
}

func TestPeerThatNeverAnswersTheClose(t *testing.T) {
	client, ch := acceptRaw(t, &Options{CloseTimeout: 300 * time.Millisecond})
	fill(t, ch, 3, 100)
	if err := ch.Close(); !errors.Is(err, transport.ErrUndelivered) || !errors.Is(err, transport.ErrPeerGone) {
		t.Errorf("close: %v", err)
	}
	client.wantClose(codeNormal)
	if state := ch.ReadyState(); state != transport.StateClosed {
		t.Errorf("state %v", state)
	}
}

func TestHowThePeerEnds(t *testing.T) {
	closeWith := func(code uint16) func(*raw) {
		return func(r *raw) { r.writeClose(code); r.wantClose(code) }
	}
	broken := func(size int, payload int) func(*raw) {
		return func(r *raw) {
			r.writeHeader(fin|opBinary, size, make([]byte, payload))
			r.conn.(*net.TCPConn).CloseWrite()
		}
	}
	for _, tt := range []struct {
		name string
		end  func(*raw)
		want []error
	}{
		{"normal", closeWith(1000), []error{io.EOF}},
		{"going away", closeWith(1001), []error{io.EOF}},
		{"no code", func(r *raw) { r.write(opClose, nil) }, []error{io.EOF}},
		{"protocol error", closeWith(1002), []error{transport.ErrAborted}},
		{"internal error", closeWith(1011), []error{transport.ErrAborted}},
		{"application code", closeWith(4321), []error{transport.ErrAborted, websocket.CloseError{Code: 4321}}},
		{"too big for it", closeWith(1009), []error{transport.ErrAborted, ErrOversize, transport.ErrTooLarge}},
		{"code that must not be sent", func(r *raw) { r.writeClose(1005); r.wantClose(1002) }, []error{transport.ErrAborted}},
		{"no close frame", func(r *raw) { r.conn.(*net.TCPConn).CloseWrite() }, []error{transport.ErrAborted, ErrNoCloseFrame, io.ErrUnexpectedEOF}},
		{"reset", func(r *raw) { r.conn.(*net.TCPConn).SetLinger(0); r.conn.Close() }, []error{transport.ErrAborted}},
		{"inside a header", func(r *raw) { r.conn.Write([]byte{fin | opBinary}); r.conn.(*net.TCPConn).CloseWrite() }, []error{transport.ErrAborted, ErrNoCloseFrame}},
		{"after a header", broken(100, 0), []error{transport.ErrAborted, ErrNoCloseFrame}},
		{"inside a message", broken(100, 50), []error{transport.ErrAborted, ErrNoCloseFrame}},
		{"inside a long message", broken(1<<20, 300<<10), []error{transport.ErrAborted, ErrNoCloseFrame}},
		{"between fragments", func(r *raw) { r.writeHeader(opBinary, 3, []byte("abc")); r.conn.(*net.TCPConn).CloseWrite() }, []error{transport.ErrAborted, ErrNoCloseFrame}},
		{"unknown opcode", func(r *raw) { r.write(0x3, nil); r.wantClose(1002) }, []error{transport.ErrAborted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, ch := acceptRaw(t, nil)
			client.write(opBinary, []byte("before"))
			var peer sync.WaitGroup
			defer peer.Wait()
			peer.Go(func() { tt.end(client) })
			if m := receive(t, ch); string(m.Data) != "before" {
				t.Fatalf("got %q", m.Data)
			}
			m, err := ch.Receive(t.Context())
			if err == nil {
				t.Fatalf("received %d bytes of a message that never ended", len(m.Data))
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("receive: %v, want a match of %v", err, want)
				}
			}
			if tt.want[0] != io.EOF && errors.Is(err, io.EOF) {
				t.Errorf("%v looks like a graceful end", err)
			}
			if err := ch.Send(nil); !errors.Is(err, transport.ErrClosed) {
				t.Errorf("send: %v", err)
			}
		})
	}
}

// The library ends a message where its connection breaks between two reads,
// however many bytes are missing: the sizes here are those of the reads.
func TestBrokenMessageIsNotDelivered(t *testing.T) {
	for _, got := range []int{0, 511, 512, 513, 4090, 4096, 8192, 64 << 10, 256<<10 - 1, 256 << 10} {
		t.Run(fmt.Sprint(got), func(t *testing.T) {
			client, ch := acceptRaw(t, nil)
			client.writeHeader(fin|opBinary, 1<<20, make([]byte, got))
			client.conn.(*net.TCPConn).CloseWrite()
			if m, err := ch.Receive(t.Context()); !errors.Is(err, ErrNoCloseFrame) {
				t.Errorf("received %d bytes, %v", len(m.Data), err)
			}
		})
	}
}

func TestFragmentsAreOneMessage(t *testing.T) {
	client, ch := acceptRaw(t, nil)
	client.writeHeader(opText, 3, []byte("one"))
	client.write(opPing, nil)
	client.writeHeader(0, 0, nil)
	client.writeHeader(fin, 4, []byte(" two"))
	if m := receive(t, ch); string(m.Data) != "one two" || !m.Text {
		t.Errorf("got %q, text %v", m.Data, m.Text)
	}
}

func TestOversizeFromThePeer(t *testing.T) {
	t.Parallel()
	const limit = transport.MessageSizeFloor
	for _, tt := range []struct {
		name string
		send func(*raw)
	}{
		{"one byte", func(r *raw) { r.write(opBinary, make([]byte, limit+1)) }},
		{"announced and never sent", func(r *raw) { r.writeHeader(fin|opBinary, 1<<62, make([]byte, 2*limit)) }},
		{"in fragments", func(r *raw) {
			r.writeHeader(opBinary, 10, make([]byte, 10))
			r.writeHeader(0, limit, make([]byte, limit))
		}},
		{"with more behind", func(r *raw) {
			for range 5 {
				r.write(opBinary, make([]byte, 1<<20))
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, ch := acceptRaw(t, &Options{MaxMessageSize: limit})
			client.write(opBinary, make([]byte, limit))
			var peer sync.WaitGroup
			defer peer.Wait()
			peer.Go(func() { tt.send(client) })
			if m := receive(t, ch); len(m.Data) != limit {
				t.Fatalf("%d bytes", len(m.Data))
			}
			client.wantClose(codeTooBig)
			peer.Wait()
			client.writeClose(codeTooBig)
			if _, _, err := client.read(); err != io.EOF || client.failed != nil {
				t.Errorf("after the close frame: read %v, write %v, want a tidy end", err, client.failed)
			}
			if _, err := ch.Receive(t.Context()); !errors.Is(err, ErrOversize) || !errors.Is(err, transport.ErrAborted) {
				t.Errorf("receive: %v", err)
			}
		})
	}
}

// What a sender with a larger limit than its peer's learns.
func TestOversizeAtTheSender(t *testing.T) {
	l, err := Listen("127.0.0.1:0", &Options{MaxMessageSize: 1 << 17})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := Dial(t.Context(), l.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	b, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	fill(t, a, 1, 1<<17)
	fill(t, a, 1, 1<<20)
	wantEnd(t, a, ErrOversize)
	if m := receive(t, b); len(m.Data) != 1<<17 {
		t.Errorf("%d bytes", len(m.Data))
	}
	wantEnd(t, b, ErrOversize)
}

func TestTextThatIsNotUTF8(t *testing.T) {
	for name, text := range map[string]string{"byte": "\xff", "surrogate": "a\xed\xa0\x80", "cut": strings.Repeat("a", 70000) + "\xe2\x82"} {
		t.Run(name, func(t *testing.T) {
			client, ch := acceptRaw(t, nil)
			client.write(opText, []byte("good €"))
			client.write(opText, []byte(text))
			if m := receive(t, ch); string(m.Data) != "good €" || !m.Text {
				t.Errorf("got %q", m.Data)
			}
			client.wantClose(codeNotUTF8)
			client.conn.Close()
			if _, err := ch.Receive(t.Context()); !errors.Is(err, ErrText) || !errors.Is(err, transport.ErrInvalidText) || !errors.Is(err, transport.ErrAborted) {
				t.Errorf("receive: %v", err)
			}
		})
	}
}

func TestMessagesBeyondTheLibrarysLimit(t *testing.T) {
	a, b, err := open(t.Context(), &Options{MaxMessageSize: 9 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Abort(a)
	defer transport.Abort(b)
	for _, size := range []int{32767, 32768, 32769, 1 << 20, 9 << 20} {
		msg := bytes.Repeat([]byte{byte(size), 1, 2}, size/3+1)[:size]
		for _, way := range [][2]transport.Channel{{a, b}, {b, a}} {
			if err := way[0].Send(msg); err != nil {
				t.Fatal(err)
			}
			if m := receive(t, way[1]); !bytes.Equal(m.Data, msg) {
				t.Errorf("size %d: %d bytes, or others", size, len(m.Data))
			}
		}
	}
}

func TestCancelledContextsHarmNothing(t *testing.T) {
	l, err := Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialling, cancel := context.WithCancel(t.Context())
	a, err := Dial(dialling, l.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	cancel()
	b, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
		if _, err := b.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
	}
	fill(t, a, 1, 100)
	if m := receive(t, b); len(m.Data) != 100 {
		t.Errorf("%d bytes", len(m.Data))
	}
}

func TestAbortReachesAPeerThatDoesNotRead(t *testing.T) {
	a, b, err := Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for a.Send(make([]byte, 1<<20)) == nil {
	}
	if err := transport.Abort(a); err != nil {
		t.Error(err)
	}
	for b.ReadyState() != transport.StateClosed {
		if _, err := b.Receive(t.Context()); err != nil {
			break
		}
	}
	wantEnd(t, b, transport.ErrAborted)
	if _, err := b.Receive(t.Context()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("receive: %v, want a reset", err)
	}
	b.Close()
}
