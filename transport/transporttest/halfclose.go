package transporttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/chunkferry/chunkferry/transport"
)

// refusesHalfClose verifies a channel that does not declare the ability.
func (e *env) refusesHalfClose(ctx context.Context, a, b transport.Channel) error {
	for _, ch := range []transport.Channel{a, b} {
		if err := want("CloseWrite without Properties.HalfClose", transport.CloseWrite(ch), errors.ErrUnsupported); err != nil {
			return err
		}
		if w, ok := ch.(transport.WriteCloser); ok {
			if err := want("the method CloseWrite without Properties.HalfClose", w.CloseWrite(), errors.ErrUnsupported); err != nil {
				return err
			}
		}
	}
	return e.stillWorks(ctx, a, b, "a refused CloseWrite")
}

// endsWriting ends the direction from a to b, behind some messages.
func (e *env) endsWriting(ctx context.Context, a, b transport.Channel) error {
	msgs := binaries(10, 100, 1000)
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	if err := e.within(ctx, "CloseWrite", func() error { return transport.CloseWrite(a) }); err != nil {
		return fmt.Errorf("CloseWrite returned %w although Properties.HalfClose is declared", err)
	}
	if err := refusesAsClosed(a, "after CloseWrite"); err != nil {
		return err
	}
	return e.receivesEnd(ctx, b, e.expect(a, msgs))
}

func halfClose(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if !properties(a).HalfClose {
		return e.refusesHalfClose(ctx, a, b)
	}
	if err := e.endsWriting(ctx, a, b); err != nil {
		return err
	}
	if err := e.transfer(ctx, b, a, same(300, 1000)); err != nil {
		return fmt.Errorf("in the direction that CloseWrite leaves open: %w", err)
	}
	return e.closesAfter(ctx, b, a, nil)
}

func halfCloseBoth(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if !properties(a).HalfClose {
		return e.refusesHalfClose(ctx, b, a)
	}
	if err := e.endsWriting(ctx, a, b); err != nil {
		return err
	}
	if err := e.endsWriting(ctx, b, a); err != nil {
		return err
	}
	for _, ch := range []transport.Channel{a, b} {
		if err := e.closes(ctx, ch); err != nil {
			return fmt.Errorf("Close after both sides called CloseWrite returned %w", err)
		}
	}
	return nil
}
