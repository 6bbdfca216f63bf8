package transporttest

import (
	"context"
	"fmt"
	"sync"

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
	return nil
}

// stateForward watches both ends through a whole life.
func stateForward(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var watchers sync.WaitGroup
	faults := make(chan error, 2)
	for _, ch := range []transport.Channel{a, b} {
		watchers.Go(func() { faults <- watchState(ch, stop) })
	}
	err = e.works(ctx, a, b)
	if err == nil {
		err = e.closeGracefully(ctx, a, b)
	}
	close(stop)
	watchers.Wait()
	for range 2 {
		if fault := <-faults; fault != nil {
			return fault
		}
	}
	return err
}

// watchState reads the state again and again until stop, and a few times more.
func watchState(ch transport.Channel, stop <-chan struct{}) error {
	last := transport.StateConnecting
	for after := 0; after < 10; {
		s := ch.ReadyState()
		if s < last || s > transport.StateClosed {
			return fmt.Errorf("the state went from %v to %v", last, s)
		}
		last = s
		select {
		case <-stop:
			after++
		default:
			pause(context.Background(), 0)
		}
	}
	return nil
}

// closeGracefully closes a, lets b read the end, and closes b.
func (e *env) closeGracefully(ctx context.Context, a, b transport.Channel) error {
	if err := e.closesAfter(ctx, a, b, nil); err != nil {
		return err
	}
	if err := e.closes(ctx, b); err != nil {
		return fmt.Errorf("Close after the peer closed: %w", err)
	}
	return nil
}

func stateClosed(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.closeGracefully(ctx, a, b); err != nil {
		return err
	}
	for _, ch := range []transport.Channel{a, b} {
		if s := ch.ReadyState(); s != transport.StateClosed {
			return fmt.Errorf("after Close the state is %v, want closed", s)
		}
	}
	return nil
}
