package transporttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// manySenders has eight goroutines send at once.
func manySenders(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	x := make(senders, 8)
	lists := make([][]transport.Message, len(x))
	for g := range x {
		for i := range e.times(500, 200) {
			m := transport.Message{Data: pattern(g<<32+i, 1+(i*37)%2000)}
			m.Data[0] = byte(g)
			lists[g] = append(lists[g], m)
		}
		x[g] = e.expect(a, lists[g])
	}
	return e.exchange(ctx, a, b, x, nil, func(ctx context.Context) error {
		errs := make([]error, len(x))
		var wg sync.WaitGroup
		for g := range x {
			wg.Go(func() { errs[g] = sendList(ctx, a, lists[g]) })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// senders is the ledger of several goroutines; the first byte of a message is
// the number of the one that sent it.
type senders []*expectation

func (s senders) add(m transport.Message) error {
	if len(m.Data) == 0 || int(m.Data[0]) >= len(s) {
		return fmt.Errorf("a %v arrived that nobody sent like that", keyOf(m))
	}
	g := m.Data[0]
	if err := s[g].add(m); err != nil {
		return fmt.Errorf("of goroutine %d: %w", g, err)
	}
	return nil
}

func (s senders) complete() bool {
	for _, x := range s {
		if !x.complete() {
			return false
		}
	}
	return true
}

func (s senders) missing() error {
	var errs []error
	for g, x := range s {
		if !x.complete() {
			errs = append(errs, fmt.Errorf("of goroutine %d: %w", g, x.missing()))
		}
	}
	return errors.Join(errs...)
}

// methodsAtOnce calls everything while Drain and Receive wait, then closes.
func methodsAtOnce(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	_, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	var waiting sync.WaitGroup
	waiting.Go(func() { _ = transport.Drain(ctx, a, 0) })
	waiting.Go(func() { _, _ = a.Receive(ctx) })
	pause(ctx, 20*time.Millisecond)

	done, cancel := context.WithCancel(ctx)
	cancel()
	calls := map[string]func(){
		"ReadyState":     func() { a.ReadyState() },
		"BufferedAmount": func() { a.BufferedAmount() },
		"Send":           func() { _ = a.Send(make([]byte, 100)) },
		"SendText":       func() { _ = a.SendText("text") },
		"Properties":     func() { transport.PropertiesOf(a) },
		"Drain":          func() { _ = transport.Drain(done, a, 0) },
	}
	finished := make(chan error, len(calls))
	for name, call := range calls {
		go func() {
			finished <- e.within(ctx, name+" while Drain and Receive wait", func() error {
				for range 200 {
					call()
				}
				return nil
			})
		}()
	}
	for range calls {
		if err := <-finished; err != nil {
			return err
		}
	}
	if errors.Is(transport.Abort(a), transport.ErrUnsupported) {
		go a.Close()
	}
	return e.within(ctx, "Drain or Receive after the end of the channel", func() error { waiting.Wait(); return nil })
}

// bothDirections sends while a Receive waits on the same end, then much in both
// directions at once.
func bothDirections(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() { received <- e.receiveAll(ctx, a, e.expect(b, same(1, 100))) }()
	pause(ctx, 20*time.Millisecond)
	err = e.within(ctx, "Send while Receive waits", func() error { return sendList(ctx, a, same(10, 100)) })
	if err != nil {
		return err
	}
	if err := e.receiveAll(ctx, b, e.expect(a, same(10, 100))); err != nil {
		return err
	}
	if err := sendList(ctx, b, same(1, 100)); err != nil {
		return err
	}
	if err := <-received; err != nil {
		return err
	}

	a, b, err = e.open(ctx)
	if err != nil {
		return err
	}
	msgs := same(e.times(2000, 400), 4<<10)
	back := make(chan error, 1)
	go func() { back <- e.transfer(ctx, b, a, msgs) }()
	if err := e.transfer(ctx, a, b, msgs); err != nil {
		return err
	}
	return <-back
}

// echo has one end send back whatever it receives, while the other sends as
// much as it can.
func echo(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	echoed := make(chan error, 1)
	go func() {
		for {
			m, err := b.Receive(ctx)
			if err == nil {
				err = send(ctx, b, m)
			}
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				echoed <- err
				return
			}
		}
	}()
	msgs := same(e.times(1000, 300), 16<<10)
	err = e.exchange(ctx, a, a, e.expect(a, msgs), nil, func(ctx context.Context) error {
		return sendList(ctx, a, msgs)
	})
	stop()
	echoErr := e.within(context.WithoutCancel(ctx), "the end that echoes", func() error { return <-echoed })
	return errors.Join(err, echoErr)
}
