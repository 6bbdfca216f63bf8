package transporttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func sendCopies(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	var msgs []transport.Message
	for i := range 64 {
		msgs = append(msgs, transport.Message{Data: pattern(i, 4<<10)})
	}
	x := newExpectation(properties(a), msgs)
	buf := make([]byte, 4<<10)
	for i := range msgs {
		fill(buf, i)
		if err := send(ctx, a, transport.Message{Data: buf}); err != nil {
			return err
		}
		clear(buf)
	}
	if !x.reliable {
		return nil
	}
	for !x.complete() {
		m, err := b.Receive(ctx)
		if err != nil {
			return err
		}
		if err := x.add(m); err != nil {
			return fmt.Errorf("%w: the sender overwrote its buffer after Send", err)
		}
	}
	return nil
}

func bounds(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := make([]int, e.times(10_000, 2000))
	for i := range sizes {
		sizes[i] = rng.IntN(1 << rng.IntN(15))
	}
	return transfer(ctx, a, b, binaries(sizes...))
}

func textInvalid(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, s := range []string{"\xff", "abc\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"} {
		if err := a.SendText(s); !errors.Is(err, transport.ErrInvalidText) {
			return fmt.Errorf("SendText(%q) = %v, want ErrInvalidText", s, err)
		}
	}
	return stillWorks(ctx, a, b, "invalid text")
}

func maxSize(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	limit := properties(a).MaxMessageSize
	if limit < transport.MessageSizeFloor {
		return fmt.Errorf("MaxMessageSize is %d, want at least %d", limit, transport.MessageSizeFloor)
	}
	return transfer(ctx, a, b, binaries(limit-1, limit, limit))
}

func tooLarge(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	limit := properties(a).MaxMessageSize
	big := make([]byte, limit+1)
	for _, m := range []transport.Message{{Data: big}, {Data: big, Text: true}} {
		err := offer(a, m)
		size, ok := errors.AsType[*transport.SizeError](err)
		if !ok || !errors.Is(err, transport.ErrTooLarge) {
			return fmt.Errorf("Send of %d bytes = %v, want a *SizeError that matches ErrTooLarge", len(big), err)
		}
		if size.Size != limit+1 || size.Limit != limit {
			return fmt.Errorf("SizeError says %d over %d, want %d over %d", size.Size, size.Limit, limit+1, limit)
		}
	}
	return stillWorks(ctx, a, b, "a message that is too large")
}

func order(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	sizes := make([]int, e.times(20_000, 4000))
	for i := range sizes {
		sizes[i] = 8
	}
	return transfer(ctx, a, b, binaries(sizes...))
}

func kept(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := binaries(1, 100, 0, 1000)
	for _, m := range msgs {
		if err := send(ctx, a, m); err != nil {
			return err
		}
	}
	time.Sleep(300 * time.Millisecond)
	return receiveAll(ctx, b, newExpectation(properties(a), msgs))
}

// receiveAll receives what must arrive; nothing if nothing must.
func receiveAll(ctx context.Context, ch transport.Channel, x *expectation) error {
	for !x.complete() {
		m, err := ch.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w after %d of %d messages", err, x.seen, len(x.sequence))
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
	return nil
}
