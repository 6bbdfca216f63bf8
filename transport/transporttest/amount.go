package transporttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// amountExact follows the account while the peer does not read: what was
// accepted is either buffered or has been released, and nothing returns.
func amountExact(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	const size = 1000
	accepted, released := 0, 0
	for refused := 0; refused < 20; {
		err := e.offerInTime(ctx, a, transport.Message{Data: pattern(accepted, size)})
		switch {
		case err == nil:
			accepted += size
			refused = 0
		case errors.Is(err, transport.ErrBufferFull):
			// Nothing is sent meanwhile, so the amount was at most what it was before.
			if amount := accepted - released; amount+size <= p.MaxBuffered && p.Reliable {
				return fmt.Errorf("ErrBufferFull for %d bytes although BufferedAmount was %d of at most %d", size, amount, p.MaxBuffered)
			}
			refused++
			pause(ctx, 10*time.Millisecond)
		default:
			return err
		}
		if accepted > p.MaxBuffered+p.ReceiveBuffer+carrierSlack || ctx.Err() != nil {
			return ctx.Err()
		}
		amount := a.BufferedAmount()
		if amount < 0 || amount > accepted-released {
			return fmt.Errorf("BufferedAmount is %d after %d bytes were accepted, of which it had released %d", amount, accepted, released)
		}
		released = accepted - amount
	}
	return nil
}

// amountRange samples the amount on both ends during traffic both ways.
func amountRange(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	most := max(p.MaxBuffered, p.MaxMessageSize)
	msgs := same(e.times(2000, 400), 16<<10)
	done := make(chan error, 2)
	go func() { done <- e.transfer(ctx, a, b, msgs) }()
	go func() { done <- e.transfer(ctx, b, a, msgs) }()
	for finished := 0; finished < 2; {
		for _, ch := range []transport.Channel{a, b} {
			if n := ch.BufferedAmount(); n < 0 || n > most {
				return fmt.Errorf("BufferedAmount is %d, want 0 to %d", n, most)
			}
		}
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			finished++
		default:
			pause(ctx, 200*time.Microsecond)
		}
	}
	return nil
}

func amountEmpty(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := []transport.Message{bin(""), text(""), bin(""), bin("")}
	for _, m := range msgs {
		if err := offer(a, m); err != nil {
			return err
		}
		if n := a.BufferedAmount(); n != 0 {
			return fmt.Errorf("BufferedAmount is %d after empty messages, want 0", n)
		}
	}
	return e.receiveAll(ctx, b, e.expect(a, msgs))
}

// amountRefused has messages refused for every reason, on an idle channel and
// on a full one.
func amountRefused(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	tooLarge := transport.Message{Data: make([]byte, properties(a).MaxMessageSize+1)}
	refuse := func(when string, msgs ...transport.Message) error {
		before := a.BufferedAmount()
		for _, m := range msgs {
			err := offer(a, m)
			if err == nil && when == "full" {
				return nil // room was made meanwhile: nothing to learn
			}
			if err == nil {
				return fmt.Errorf("Send of %v was not refused", keyOf(m))
			}
			if n := a.BufferedAmount(); n > before {
				return fmt.Errorf("BufferedAmount of a channel that is %s rose from %d to %d with a refused %v", when, before, n, keyOf(m))
			}
		}
		return nil
	}
	if err := refuse("idle", tooLarge, text("\xff")); err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	return refuse("full", tooLarge, text(strings.Repeat("\xff", 1000)), transport.Message{Data: make([]byte, 16<<10)})
}

func amountIdle(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if n := a.BufferedAmount(); n != 0 {
		return fmt.Errorf("BufferedAmount of a new channel is %d", n)
	}
	for range 3 {
		if err := e.transfer(ctx, a, b, binaries(1, 100, 50_000, 10)); err != nil {
			return err
		}
		if err := e.eventually(ctx, "BufferedAmount returning to 0", func() bool { return a.BufferedAmount() == 0 }); err != nil {
			return err
		}
	}
	return nil
}
