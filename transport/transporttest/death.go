package transporttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// aborts calls Abort on a; supported is false if a cannot, which must have
// changed nothing.
func (e *env) aborts(ctx context.Context, a, b transport.Channel) (supported bool, err error) {
	err = e.within(ctx, "Abort", func() error { return transport.Abort(a) })
	if errors.Is(err, transport.ErrUnsupported) {
		return false, e.stillWorks(ctx, a, b, "a refused Abort")
	}
	if err != nil {
		return false, fmt.Errorf("Abort returned %w", err)
	}
	return true, nil
}

// isDead verifies the state of an end that knows that it is dead and has been
// read empty.
func (e *env) isDead(ctx context.Context, ch transport.Channel, why string) error {
	if s := ch.ReadyState(); s != transport.StateClosed {
		return fmt.Errorf("the state of a channel %s is %v, want closed", why, s)
	}
	err := e.within(ctx, "Drain", func() error { return transport.Drain(ctx, ch, 0) })
	if err := want("Drain on a channel "+why, err, transport.ErrClosed); err != nil {
		return err
	}
	return refusesAsClosed(ch, "on a channel "+why)
}

func abortPeer(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if supported, err := e.aborts(ctx, a, b); err != nil || !supported {
		return err
	}
	const why = "that the peer aborted"
	for range 2 {
		if err := want("Receive on a channel "+why, e.receives(ctx, b, "Receive on a channel "+why), transport.ErrAborted); err != nil {
			return err
		}
	}
	return e.isDead(ctx, b, why)
}

// abortArrived aborts when the messages have probably arrived; if they have
// not, it waits longer the next time.
func abortArrived(ctx context.Context, e *env) error {
	var err error
	for _, wait := range []time.Duration{100 * time.Millisecond, time.Second, 4 * time.Second} {
		if err = e.abortsAfter(ctx, wait); err == nil {
			return nil
		}
	}
	return err
}

func (e *env) abortsAfter(ctx context.Context, wait time.Duration) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := same(5, 1000)
	x := e.expect(a, msgs)
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	pause(ctx, wait)
	if supported, err := e.aborts(ctx, a, b); err != nil || !supported {
		return err
	}
	pause(ctx, wait)
	if err := e.receiveAll(ctx, b, x); err != nil {
		return fmt.Errorf("%v after they were sent the peer aborted: %w", wait, err)
	}
	return nil
}

// abortHere aborts under waiting calls.
func abortHere(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 16<<10)
	if err != nil {
		return err
	}
	if _, ok := a.(transport.Aborter); !ok {
		return want("Abort of a channel without the ability", transport.Abort(a), errors.ErrUnsupported)
	}
	drained, received := make(chan error, 1), make(chan error, 1)
	if full {
		go func() { drained <- transport.Drain(ctx, a, 0) }()
	} else {
		drained <- transport.ErrClosed
	}
	go func() {
		_, err := a.Receive(ctx)
		received <- err
	}()
	pause(ctx, 50*time.Millisecond)
	if _, err := e.aborts(ctx, a, b); err != nil {
		return err
	}
	err = e.within(ctx, "Drain during Abort", func() error { return <-drained })
	if err := want("Drain during Abort", err, transport.ErrClosed); err != nil {
		return err
	}
	err = e.within(ctx, "Receive during Abort", func() error { return <-received })
	if !errors.Is(err, transport.ErrClosed) && !errors.Is(err, transport.ErrAborted) {
		return fmt.Errorf("Receive during Abort returned %v, want ErrClosed or ErrAborted", err)
	}
	return e.isDead(ctx, a, "that was aborted")
}

// cutPair is a pair whose carrier can be cut.
type cutPair struct {
	a, b  transport.Channel
	cut   func()
	learn time.Duration // after which both ends must know, 0 if they need not
}

// openCut returns nil if there is nothing to test: no way to cut, and nothing
// declared.
func (e *env) openCut(ctx context.Context) (*cutPair, error) {
	if e.Cut == nil {
		a, _, err := e.open(ctx)
		if err != nil {
			return nil, err
		}
		if d := properties(a).DeadPeer; d > 0 {
			return nil, fmt.Errorf("Properties.DeadPeer is declared as %v, which cannot be verified without Options.Cut", d)
		}
		return nil, nil
	}
	a, b, cut, err := e.Cut(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a pair that can be cut: %w", err)
	}
	e.closeLater(a, b)
	p := &cutPair{a: a, b: b, cut: cut}
	if d := properties(a).DeadPeer; d > 0 {
		p.learn = d + e.patience/4
	}
	if err := e.works(ctx, a, b); err != nil {
		return nil, fmt.Errorf("before the cut: %w", err)
	}
	return p, nil
}

// learns waits for f, a call that must tell of the cut.
func (p *cutPair) learns(ctx context.Context, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(p.learn):
		return fmt.Errorf("%s did not learn within %v that the carrier was cut (DeadPeer is %v)",
			what, p.learn, properties(p.a).DeadPeer)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func cutIdle(ctx context.Context, e *env) error {
	p, err := e.openCut(ctx)
	if p == nil || p.learn == 0 {
		return err
	}
	p.cut()
	for _, ch := range []transport.Channel{p.a, p.b} {
		err := p.learns(ctx, "Receive", func() error {
			_, err := ch.Receive(ctx)
			return err
		})
		if err := want("Receive on a cut channel", err, transport.ErrAborted); err != nil {
			return err
		}
		if err := e.isDead(ctx, ch, "that was cut"); err != nil {
			return err
		}
	}
	return nil
}

func cutSending(ctx context.Context, e *env) error {
	p, err := e.openCut(ctx)
	if p == nil || p.learn == 0 {
		return err
	}
	p.cut()
	msg := transport.Message{Data: pattern(0, 16<<10)}
	err = p.learns(ctx, "Send", func() error {
		for {
			err := offer(p.a, msg)
			if err != nil && !errors.Is(err, transport.ErrBufferFull) {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			pause(ctx, 2*time.Millisecond)
		}
	})
	if err := want("Send on a cut channel", err, transport.ErrClosed); err != nil {
		return err
	}
	return e.isDead(ctx, p.a, "that was cut")
}

func cutDrain(ctx context.Context, e *env) error {
	p, err := e.openCut(ctx)
	if p == nil || p.learn == 0 {
		return err
	}
	p.cut()
	_, full, err := e.stall(ctx, p.a, 16<<10)
	if errors.Is(err, transport.ErrClosed) || err == nil && !full {
		return nil // it knew at once
	}
	if err != nil {
		return err
	}
	err = p.learns(ctx, "Drain", func() error { return transport.Drain(ctx, p.a, 0) })
	if err := want("Drain on a cut channel", err, transport.ErrClosed); err != nil {
		return err
	}
	return e.isDead(ctx, p.a, "that was cut")
}

func cutArrived(ctx context.Context, e *env) error {
	p, err := e.openCut(ctx)
	if p == nil || p.learn == 0 {
		return err
	}
	msgs := same(5, 1000)
	x := e.expect(p.a, msgs)
	if err := sendList(ctx, p.a, msgs); err != nil {
		return err
	}
	pause(ctx, time.Second)
	p.cut()
	err = p.learns(ctx, "ReadyState", func() error {
		for p.b.ReadyState() != transport.StateClosed && ctx.Err() == nil {
			pause(ctx, 2*time.Millisecond)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := e.receiveAll(ctx, p.b, x); err != nil {
		return fmt.Errorf("sent a second before the cut: %w", err)
	}
	if !x.reliable {
		return nil
	}
	return want("Receive on a cut channel", e.receives(ctx, p.b, "Receive"), transport.ErrAborted)
}

// cutClose closes a channel that was cut: there is nobody to say good-bye to.
func cutClose(ctx context.Context, e *env) error {
	p, err := e.openCut(ctx)
	if p == nil {
		return err
	}
	p.cut()
	if err := offer(p.a, bin("into the void")); err != nil {
		return want("Send on a cut channel", err, transport.ErrClosed)
	}
	return want("Close on a cut channel", e.closesInTime(ctx, p.a), transport.ErrUndelivered)
}
