package transporttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// receivesEnd receives up to a graceful end, which must come after everything.
func (e *env) receivesEnd(ctx context.Context, ch transport.Channel, x ledger) error {
	for {
		var m transport.Message
		err := e.within(ctx, "Receive", func() (err error) {
			m, err = ch.Receive(ctx)
			return err
		})
		switch {
		case errors.Is(err, io.EOF) && x.complete():
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w although the end has come: %w", x.missing(), err)
		case err != nil:
			return fmt.Errorf("after the peer closed, Receive returned %w, want io.EOF", err)
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
}

// closesAfter sends msgs from a, closes it, and has b read everything.
func (e *env) closesAfter(ctx context.Context, a, b transport.Channel, msgs []transport.Message) error {
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	return e.closesTo(ctx, a, b, e.expect(a, msgs))
}

// closesTo closes a while b reads everything.
func (e *env) closesTo(ctx context.Context, a, b transport.Channel, x ledger) error {
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	pause(ctx, 20*time.Millisecond)
	if err := e.receivesEnd(ctx, b, x); err != nil {
		return err
	}
	if err := forgive(a, e.within(ctx, "Close", func() error { return <-closed })); err != nil {
		return fmt.Errorf("Close returned %w although the peer has read everything", err)
	}
	return nil
}

func eof(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	return e.closesAfter(ctx, a, b, append(binaries(10, 100, 1000), text("the last words")))
}

func eofAgain(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.closesAfter(ctx, a, b, nil); err != nil {
		return err
	}
	for range 5 {
		if err := want("another Receive after io.EOF", e.receives(ctx, b, "Receive"), io.EOF); err != nil {
			return err
		}
	}
	return nil
}

// eofUnread reads only when the end has probably arrived too.
func eofUnread(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := same(60, 1000)
	if err := sendList(ctx, a, msgs); err != nil {
		return err
	}
	go a.Close()
	pause(ctx, 300*time.Millisecond)
	return e.closesTo(ctx, a, b, e.expect(a, msgs))
}

func sendAfterEOF(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.closesAfter(ctx, a, b, nil); err != nil {
		return err
	}
	return refusesAsClosed(b, "after the peer closed")
}

// refusesAsClosed verifies what Send answers on a closed channel.
func refusesAsClosed(ch transport.Channel, when string) error {
	for _, m := range []transport.Message{bin("late"), bin(""), text("late")} {
		err := offer(ch, m)
		if err := want("Send "+when, err, transport.ErrClosed); err != nil {
			return err
		}
		if err := want("Send "+when, err, net.ErrClosed); err != nil {
			return err
		}
	}
	return nil
}

func sendAfterClose(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.closes(ctx, a); err != nil {
		return err
	}
	return refusesAsClosed(a, "after Close")
}

func receiveAfterClose(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := send(ctx, b, bin("unread")); err != nil {
		return err
	}
	pause(ctx, 50*time.Millisecond)
	if err := e.closes(ctx, a); err != nil {
		return err
	}
	for range 3 {
		if err := want("Receive after Close", e.receives(ctx, a, "Receive"), transport.ErrClosed); err != nil {
			return err
		}
	}
	return nil
}

// closeDelivers closes behind 4 MiB, or as much as the channel takes at once.
func closeDelivers(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	const size = 16 << 10
	msgs := same(4<<20/size, size)
	for i, m := range msgs {
		err := offer(a, m)
		if errors.Is(err, transport.ErrBufferFull) {
			msgs = msgs[:i]
			break
		}
		if err != nil {
			return err
		}
	}
	return e.closesTo(ctx, a, b, e.expect(a, msgs))
}

// closeUndelivered closes toward a peer that does not read.
func closeUndelivered(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	err = e.closesInTime(ctx, a)
	return want("Close toward a peer that does not read", err, transport.ErrUndelivered)
}

// closesInTime calls Close where it may have to wait for its timeout.
func (e *env) closesInTime(ctx context.Context, ch transport.Channel) error {
	closed := make(chan error, 1)
	go func() { closed <- ch.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(2 * e.patience):
		return fmt.Errorf("Close did not return within %v", 2*e.patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeNeverLooksWhole reads after such a close: what is missing must show.
func closeNeverLooksWhole(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	closeErr := e.closesInTime(ctx, a)
	x := e.expect(a, msgs)
	for {
		var m transport.Message
		err := e.within(ctx, "Receive", func() (err error) {
			m, err = b.Receive(ctx)
			return err
		})
		switch {
		case errors.Is(err, io.EOF) && !x.complete():
			return fmt.Errorf("io.EOF although %w (Close returned: %v)", x.missing(), closeErr)
		case errors.Is(err, io.EOF), errors.Is(err, transport.ErrAborted):
			return nil
		case err != nil:
			return fmt.Errorf("after Close gave up, the peer's Receive returned %w, want ErrAborted", err)
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
}

func closeWakesReceive(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	woken := make(chan error, 1)
	go func() {
		_, err := a.Receive(ctx)
		woken <- err
	}()
	pause(ctx, 50*time.Millisecond)
	if err := e.closes(ctx, a); err != nil {
		return err
	}
	err = e.within(ctx, "Receive during a local Close", func() error { return <-woken })
	return want("Receive during a local Close", err, transport.ErrClosed)
}

func closeWakesDrain(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	woken := make(chan error, 1)
	go func() { woken <- transport.Drain(ctx, a, 0) }()
	pause(ctx, 50*time.Millisecond)
	go a.Close()
	err = e.within(ctx, "Drain during a local Close", func() error { return <-woken })
	return want("Drain during a local Close", err, transport.ErrClosed)
}

func closeTwice(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, ch := range []transport.Channel{a, b} {
		for range 3 {
			if err := e.closes(ctx, ch); err != nil {
				return fmt.Errorf("Close of an idle channel: %w", err)
			}
		}
	}
	return nil
}

func closeAtOnce(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	return e.within(ctx, "one of sixteen calls of Close", func() error {
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = a.Close() })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// closeBothSides closes both ends at the same time, idle and with messages
// under way.
func closeBothSides(ctx context.Context, e *env) error {
	for _, msgs := range [][]transport.Message{nil, same(20, 1000)} {
		a, b, err := e.open(ctx)
		if err != nil {
			return err
		}
		for _, ch := range []transport.Channel{a, b} {
			if err := sendList(ctx, ch, msgs); err != nil {
				return err
			}
		}
		closed := make(chan error, 2)
		go func() { closed <- a.Close() }()
		go func() { closed <- b.Close() }()
		for range 2 {
			err := e.within(ctx, "Close of both sides", func() error { return <-closed })
			if err != nil && (msgs == nil || !errors.Is(err, transport.ErrUndelivered)) {
				return fmt.Errorf("both sides closed with %d messages under way: %w", len(msgs), err)
			}
		}
	}
	return nil
}

// closeInReceiveLoop closes in the goroutine that receives, in mid-stream.
func closeInReceiveLoop(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for i := 0; ctx.Err() == nil && send(ctx, b, transport.Message{Data: pattern(i, 1000)}) == nil; i++ {
		}
	})
	wg.Go(func() {
		_, _ = b.Receive(ctx)
	})
	defer cancel()
	return e.within(ctx, "Close in the goroutine that receives", func() error {
		for range 10 {
			if _, err := a.Receive(ctx); err != nil {
				return err
			}
		}
		return a.Close()
	})
}

// closeWhileSending closes while several goroutines send: what Send accepted
// arrives, what it refused does not.
func closeWhileSending(ctx context.Context, e *env) error {
	for round := range e.times(8, 4) {
		a, b, err := e.open(ctx)
		if err != nil {
			return err
		}
		var accepted atomic.Int64
		var senders sync.WaitGroup
		faults := make(chan error, 4)
		lists := make([][]transport.Message, 4)
		for g := range lists {
			senders.Go(func() {
				for i := 0; ; i++ {
					m := transport.Message{Data: pattern(g<<32+i, 500)}
					switch err := send(ctx, a, m); {
					case err == nil:
						lists[g] = append(lists[g], m)
						accepted.Add(1)
					case errors.Is(err, transport.ErrClosed):
						return
					default:
						faults <- fmt.Errorf("Send during Close: %w", err)
						return
					}
				}
			})
		}
		closed := make(chan error, 1)
		go func() {
			for accepted.Load() < int64(100*round+1) && ctx.Err() == nil {
				pause(ctx, 100*time.Microsecond)
			}
			closed <- a.Close()
		}()
		var arrived []transport.Message
		for {
			m, err := b.Receive(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("receive while the peer closes: %w", err)
			}
			arrived = append(arrived, transport.Message{Data: append([]byte(nil), m.Data...)})
		}
		if err := e.within(ctx, "Send during Close", func() error { senders.Wait(); return nil }); err != nil {
			return err
		}
		select {
		case err := <-faults:
			return err
		case err := <-closed:
			if err != nil {
				return fmt.Errorf("Close returned %w although the peer reads", err)
			}
		}
		if err := accountFor(properties(a), lists, arrived); err != nil {
			return fmt.Errorf("Close during Send: %w", err)
		}
	}
	return nil
}

// accountFor compares what arrived with what several senders had accepted.
func accountFor(p transport.Properties, sent [][]transport.Message, arrived []transport.Message) error {
	p.Ordered = false
	var all []transport.Message
	for _, list := range sent {
		all = append(all, list...)
	}
	x := newExpectation(p, all)
	for _, m := range arrived {
		if err := x.add(m); err != nil {
			return err
		}
	}
	if !x.complete() {
		return x.missing()
	}
	return nil
}
