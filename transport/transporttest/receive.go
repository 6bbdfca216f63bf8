package transporttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func receiveCancel(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, wait := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		deadline, cancel := context.WithTimeout(ctx, wait)
		err := e.receives(deadline, b, "Receive with a deadline")
		cancel()
		if err := want("Receive with a deadline", err, context.DeadlineExceeded); err != nil {
			return err
		}
		cancelled, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(wait, cancel)
		err = e.receives(cancelled, b, "Receive with a cancelled context")
		timer.Stop()
		if err := want("Receive with a cancelled context", err, context.Canceled); err != nil {
			return err
		}
	}
	return e.stillWorks(ctx, a, b, "a Receive whose context was done")
}

// receiveCancelRace cancels Receive at about the time a message arrives.
func receiveCancelRace(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := same(e.times(2000, 500), 100)
	x := e.expect(a, msgs)
	for _, m := range msgs {
		sent := make(chan error, 1)
		go func() { sent <- send(ctx, a, m) }()
		racing, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(time.Duration(rand.IntN(300))*time.Microsecond, cancel)
		got, err := b.Receive(racing)
		timer.Stop()
		cancel()
		switch {
		case err == nil:
			if err := x.add(got); err != nil {
				return err
			}
		case !errors.Is(err, context.Canceled):
			return want("Receive with a cancelled context", err, context.Canceled)
		}
		if err := <-sent; err != nil {
			return err
		}
	}
	return e.receiveAll(ctx, b, x)
}

// receiveDoneContext calls Receive with a dead context while messages wait.
func receiveDoneContext(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	msgs := same(40, 100)
	x := e.expect(a, msgs)
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	pause(ctx, 100*time.Millisecond)
	for range 20 {
		var got transport.Message
		err := e.within(ctx, "Receive with a done context", func() (err error) {
			got, err = b.Receive(done)
			return err
		})
		if err == nil {
			err = x.add(got)
		} else {
			err = want("Receive with a done context", err, context.Canceled)
		}
		if err != nil {
			return err
		}
	}
	return e.receiveAll(ctx, b, x)
}

// receiveLate begins to receive long after the messages have arrived.
func receiveLate(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := append(binaries(1, 100, 1000), text("early"))
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	pause(ctx, 400*time.Millisecond)
	return e.receiveAll(ctx, b, e.expect(a, msgs))
}
