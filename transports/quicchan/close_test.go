package quicchan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

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
			if _, err := b.Receive(testContext(t)); !errors.Is(err, io.EOF) {
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

func TestBothCloseAtOnce(t *testing.T) {
	for range 50 {
		a, b := newPair(t)
		errs := make(chan error, 2)
		for _, ch := range []transport.Channel{a, b} {
			go func() { errs <- ch.Close() }()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Fatal(err)
		}
	}
}

// quic-go returns the error of a closed connection before the data that has
// arrived, and drops what has not been sent. So either application may close it
// as soon as its own Close has returned, and no sooner.
func TestConnectionClosedRightAfterClose(t *testing.T) {
	for _, who := range []string{"the side that closes", "the side that answers"} {
		t.Run(who, func(t *testing.T) {
			for range 20 {
				closeConnectionAfterClose(t, who == "the side that closes")
			}
		})
	}
}

func closeConnectionAfterClose(t *testing.T, closer bool) {
	t.Helper()
	client, server := newConns(t, nil)
	ctx := testContext(t)
	a, err := quicchan.Open(ctx, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := quicchan.Accept(ctx, server, nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 50
	for range n {
		send(t, a, make([]byte, 10_000))
	}
	closed := make(chan error, 1)
	go func() {
		err := a.Close()
		if closer {
			client.CloseWithError(7, "the application is done")
		}
		closed <- err
	}()
	for i := range n {
		if _, err := b.Receive(ctx); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if _, err := b.Receive(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want io.EOF", err)
	}
	err = b.Close()
	if !closer {
		server.CloseWithError(7, "the application is done")
	}
	if err := errors.Join(err, <-closed); err != nil {
		t.Error(err)
	}
}

// A peer that closes its connection with code 0 has read our end mark; its own
// may be lost on the way, and nothing with it.
func TestConnectionCloseStandsForTheEnd(t *testing.T) {
	client, server := newConns(t, nil)
	ctx := testContext(t)
	ch, err := quicchan.Open(ctx, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- ch.Close() }()
	stream, err := server.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "434b4659 01 00  04 00000000")
	got := make([]byte, len(want))
	if _, err := io.ReadFull(stream, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %x, %v", got, err)
	}
	server.CloseWithError(0, "")
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// The application's other mistake: closing the connection instead of the
// channel. Then the end must not look like one, whatever the code.
func TestConnectionClosedInsteadOfTheChannel(t *testing.T) {
	for _, code := range []quic.ApplicationErrorCode{0, 7} {
		client, server := newConns(t, nil)
		ctx := testContext(t)
		a, err := quicchan.Open(ctx, client, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := quicchan.Accept(ctx, server, nil)
		if err != nil {
			t.Fatal(err)
		}
		client.CloseWithError(code, "")
		for _, ch := range []transport.Channel{a, b} {
			_, err := ch.Receive(ctx)
			if _, ok := errors.AsType[*quic.ApplicationError](err); !ok || !errors.Is(err, transport.ErrAborted) {
				t.Errorf("code %d: %v, want ErrAborted and the cause", code, err)
			}
			if err := ch.Close(); !errors.Is(err, transport.ErrUndelivered) {
				t.Errorf("code %d: Close: %v, want ErrUndelivered", code, err)
			}
		}
	}
}

// On a connection with several channels each ends by itself.
func TestOneOfManyCloses(t *testing.T) {
	as, bs, err := quicchan.ManyPair(testContext(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range as {
		t.Cleanup(func() { transport.Abort(as[i]); transport.Abort(bs[i]) })
	}
	if err := as[0].Close(); err != nil {
		t.Error(err)
	}
	transport.Abort(bs[1])
	if _, err := as[1].Receive(testContext(t)); !errors.Is(err, transport.ErrAborted) {
		t.Errorf("the aborted one: %v, want ErrAborted", err)
	}
	converse(t, as[2], bs[2])
}

// Giving up a wait while the writer is in the middle of a frame leaves the
// frame whole.
func TestCancelledDrainLeavesNoHalfFrame(t *testing.T) {
	a, b := newPair(t)
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(i >> 8)
	}
	sent := 0
	for ; a.Send(big) == nil; sent++ { // until nothing moves any more
	}
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := transport.Drain(ctx, a, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Drain: %v", err)
		}
		cancel()
	}
	for i := range sent {
		got, err := b.Receive(testContext(t))
		if err != nil || !bytes.Equal(got.Data, big) {
			t.Fatalf("message %d: %d bytes, %v", i, len(got.Data), err)
		}
	}
	converse(t, a, b)
}

// QUIC's windows take in what is to be sent long before a slow reader has read
// it. Close must not take that silence for a dead peer.
func TestCloseWaitsForSlowReader(t *testing.T) {
	opts := &quicchan.Options{CloseTimeout: 2 * time.Second}
	l := listen(t, opts)
	a, b := dial(t, l, opts), accept(t, l)
	// 22 fit the inbox, from where they count as taken, 11 QUIC's window.
	const n = 36
	for range n {
		send(t, a, make([]byte, 48<<10))
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	slow := time.NewTicker(500 * time.Millisecond)
	defer slow.Stop()
	var closeErr error
	wait := slow.C
	for i := 0; i < n; i++ {
		select {
		case <-wait:
		case closeErr = <-closed:
			always := make(chan time.Time)
			close(always)
			wait, closed = always, nil
		}
		if _, err := b.Receive(testContext(t)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if closed != nil {
		closeErr = <-closed
	}
	if closeErr != nil {
		t.Error(closeErr)
	}
}
