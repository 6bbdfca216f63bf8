package transporttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func stateOpen(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, ch := range []transport.Channel{a, b} {
		if s := ch.ReadyState(); s != transport.StateOpen {
			return fmt.Errorf("a new channel is %v, want open", s)
		}
	}
	return works(ctx, a, b)
}

func receiveCancel(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, wait := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		short, cancel := context.WithTimeout(ctx, wait)
		err := within(ctx, soon, "Receive with a done context", func() error {
			_, err := b.Receive(short)
			return err
		})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Receive with a deadline = %v, want context.DeadlineExceeded", err)
		}
	}
	return stillWorks(ctx, a, b, "a Receive that was cancelled")
}

func eof(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := binaries(10, 0, 1000)
	for _, m := range msgs {
		if err := send(ctx, a, m); err != nil {
			return err
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	if err := receiveEnd(ctx, b, newExpectation(properties(a), msgs)); err != nil {
		return err
	}
	for i := range 5 {
		if _, err := b.Receive(ctx); !errors.Is(err, io.EOF) {
			return fmt.Errorf("Receive call %d after io.EOF = %v, want io.EOF again", i+1, err)
		}
	}
	if err := <-closed; err != nil {
		return fmt.Errorf("Close = %w although the peer read everything", err)
	}
	return nil
}

// receiveEnd receives everything up to a graceful end.
func receiveEnd(ctx context.Context, ch transport.Channel, x *expectation) error {
	for {
		m, err := ch.Receive(ctx)
		switch {
		case errors.Is(err, io.EOF) && x.complete():
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("io.EOF after %d of %d messages", x.seen, len(x.sequence))
		case err != nil:
			return fmt.Errorf("receive: %w after %d of %d messages, want all and io.EOF", err, x.seen, len(x.sequence))
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
}

func closeDelivers(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	const size = 16 << 10
	var msgs []transport.Message
	for total := 0; total < 4<<20; total += size {
		m := transport.Message{Data: pattern(len(msgs), size)}
		err := offer(a, m)
		if errors.Is(err, transport.ErrBufferFull) {
			break
		}
		if err != nil {
			return err
		}
		msgs = append(msgs, m)
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	if err := receiveEnd(ctx, b, newExpectation(properties(a), msgs)); err != nil {
		return err
	}
	if err := <-closed; err != nil {
		return fmt.Errorf("Close = %w although the peer read everything", err)
	}
	return nil
}

func closeTwice(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		if err := within(ctx, soon, "Close", a.Close); err != nil {
			return fmt.Errorf("Close of an idle channel = %w", err)
		}
	}
	for range 3 {
		if err := within(ctx, soon, "Close", b.Close); err != nil {
			return fmt.Errorf("Close after the peer closed = %w", err)
		}
	}
	return nil
}

func closeWakesReceive(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	woken := make(chan error, 1)
	go func() {
		_, err := a.Receive(ctx)
		woken <- err
	}()
	time.Sleep(50 * time.Millisecond) // so that Receive probably waits already
	if err := within(ctx, soon, "Close", a.Close); err != nil {
		return err
	}
	err = within(ctx, soon, "Receive during Close", func() error { return <-woken })
	if !errors.Is(err, transport.ErrClosed) {
		return fmt.Errorf("Receive during a local Close = %v, want ErrClosed", err)
	}
	_ = b
	return nil
}

func halfClose(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if !properties(a).HalfClose {
		if err := transport.CloseWrite(a); !errors.Is(err, transport.ErrUnsupported) {
			return fmt.Errorf("CloseWrite = %v, want ErrUnsupported since HalfClose is not declared", err)
		}
		return stillWorks(ctx, a, b, "a refused CloseWrite")
	}
	msgs := binaries(10, 0, 1000)
	for _, m := range msgs {
		if err := send(ctx, a, m); err != nil {
			return err
		}
	}
	if err := transport.CloseWrite(a); err != nil {
		return fmt.Errorf("CloseWrite = %w although HalfClose is declared", err)
	}
	if err := a.Send(nil); !errors.Is(err, transport.ErrClosed) {
		return fmt.Errorf("Send after CloseWrite = %v, want ErrClosed", err)
	}
	if err := receiveEnd(ctx, b, newExpectation(properties(a), msgs)); err != nil {
		return err
	}
	return transfer(ctx, b, a, binaries(10, 0, 1000))
}

func abort(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	err = within(ctx, soon, "Abort", func() error { return transport.Abort(a) })
	if errors.Is(err, transport.ErrUnsupported) {
		return stillWorks(ctx, a, b, "a refused Abort")
	}
	if err != nil {
		return fmt.Errorf("Abort = %w", err)
	}
	err = within(ctx, soon, "Receive at the peer of an aborted channel", func() error {
		_, err := b.Receive(ctx)
		return err
	})
	if !errors.Is(err, transport.ErrAborted) {
		return fmt.Errorf("Receive at the peer of an aborted channel = %v, want ErrAborted", err)
	}
	return nil
}
