package transporttest

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func (e *env) drains(ctx context.Context, ch transport.Channel, low int, when string) error {
	err := e.within(ctx, "Drain "+when, func() error { return transport.Drain(ctx, ch, low) })
	if err != nil {
		return fmt.Errorf("Drain to %d %s: %w", low, when, err)
	}
	return nil
}

// drainAtOnce asks for levels that have been reached already.
func drainAtOnce(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, low := range []int{0, 1, math.MaxInt} {
		if err := e.drains(ctx, a, low, "on a new channel"); err != nil {
			return err
		}
	}
	if err := e.transfer(ctx, a, b, same(20, 1000)); err != nil {
		return err
	}
	for range 3 {
		if err := e.drains(ctx, a, 0, "on an idle channel"); err != nil {
			return err
		}
	}
	if _, _, err := e.stall(ctx, a, 16<<10); err != nil {
		return err
	}
	for _, low := range []int{a.BufferedAmount(), properties(a).MaxBuffered, math.MaxInt} {
		if err := e.drains(ctx, a, low, "above the amount"); err != nil {
			return err
		}
	}
	return nil
}

// drainZero waits for the very last byte.
func drainZero(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for round := range 3 {
		msgs, full, err := e.stall(ctx, a, 16<<10)
		if err != nil || !full {
			return err
		}
		read := make(chan error, 1)
		x := &slowly{e.expect(a, msgs), round == 0}
		go func() { read <- e.receiveAll(ctx, b, x) }()
		if err := e.drains(ctx, a, 0, "while the peer reads"); err != nil {
			return err
		}
		if n := a.BufferedAmount(); n != 0 {
			return fmt.Errorf("Drain to 0 returned at %d bytes", n)
		}
		if err := <-read; err != nil {
			return err
		}
	}
	return nil
}

// slowly is a ledger that takes its time.
type slowly struct {
	*expectation
	slow bool
}

func (s *slowly) add(m transport.Message) error {
	if s.slow {
		pause(context.Background(), time.Millisecond)
	}
	return s.expectation.add(m)
}

// drainLevel lets the peer read just until the level is reached.
func drainLevel(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 4<<10)
	if err != nil || !full {
		return err
	}
	low := a.BufferedAmount() / 2
	woken := make(chan error, 1)
	go func() {
		err := transport.Drain(ctx, a, low)
		if n := a.BufferedAmount(); err == nil && n > low {
			err = fmt.Errorf("Drain to %d returned at %d bytes", low, n)
		}
		woken <- err
	}()
	pause(ctx, 20*time.Millisecond)
	for a.BufferedAmount() > low {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		_, err := b.Receive(short)
		cancel()
		if err != nil && short.Err() == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case err := <-woken:
			return err
		default:
		}
	}
	return e.within(ctx, fmt.Sprintf("Drain to %d of %d bytes", low, 2*low), func() error { return <-woken })
}

// drainCycles fills and drains again and again: a wake-up that is lost once in
// a thousand stops a transfer.
func drainCycles(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := b.Receive(reading); err != nil {
				return
			}
		}
	}()
	defer func() { stop(); <-read }()
	const size = 8 << 10
	msg := transport.Message{Data: pattern(1, size)}
	end := time.Now().Add(3 * time.Second)
	for range e.times(20_000, 3000) {
		for range 32 {
			if err := send(ctx, a, msg); err != nil {
				return err
			}
			if a.BufferedAmount() > 0 {
				break
			}
		}
		if err := e.drains(ctx, a, 0, "while the peer reads"); err != nil {
			return err
		}
		if time.Now().After(end) {
			break
		}
	}
	return nil
}

// drainTogether has many goroutines wait for different levels.
func drainTogether(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	const n = 8
	woken := make(chan error, n)
	for i := range n {
		low := a.BufferedAmount() * i / n
		go func() { woken <- transport.Drain(ctx, a, low) }()
	}
	pause(ctx, 20*time.Millisecond)
	if err := e.receiveAll(ctx, b, e.expect(a, msgs)); err != nil {
		return err
	}
	for range n {
		err := e.within(ctx, "one of eight calls of Drain", func() error { return <-woken })
		if err != nil {
			return err
		}
	}
	return nil
}

func drainCancel(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		deadline, cancel := context.WithTimeout(ctx, wait)
		err := e.within(ctx, "Drain with a deadline", func() error { return transport.Drain(deadline, a, 0) })
		cancel()
		if err := want("Drain with a deadline", err, context.DeadlineExceeded); err != nil {
			return err
		}
		cancelled, cancel := context.WithCancel(ctx)
		time.AfterFunc(wait, cancel)
		err = e.within(ctx, "Drain with a cancelled context", func() error { return transport.Drain(cancelled, a, 0) })
		if err := want("Drain with a cancelled context", err, context.Canceled); err != nil {
			return err
		}
	}
	if err := e.receiveAll(ctx, b, e.expect(a, msgs)); err != nil {
		return fmt.Errorf("after a cancelled Drain: %w", err)
	}
	return e.stillWorks(ctx, a, b, "a cancelled Drain")
}

func drainClosed(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.closesAfter(ctx, a, b, nil); err != nil {
		return err
	}
	for _, end := range []struct {
		ch   transport.Channel
		what string
	}{{a, "Drain after Close"}, {b, "Drain after the peer closed"}} {
		for _, low := range []int{0, math.MaxInt} {
			err := e.within(ctx, end.what, func() error { return transport.Drain(ctx, end.ch, low) })
			if err := want(end.what, err, transport.ErrClosed); err != nil {
				return err
			}
		}
	}
	return nil
}
