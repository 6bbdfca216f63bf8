package transporttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// env is what a check works with: the options, and a source of pairs that are
// closed when the check ends.
type env struct {
	Options
	pair Pair

	mu     sync.Mutex
	opened []transport.Channel
	sent   map[transport.Channel]*expectation // the last of each sender
}

// open returns a new pair.
func (e *env) open(ctx context.Context) (a, b transport.Channel, err error) {
	a, b, err = e.pair(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open a pair: %w", err)
	}
	e.closeLater(a, b)
	return a, b, nil
}

func (e *env) closeLater(channels ...transport.Channel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened = append(e.opened, channels...)
}

// expect returns the ledger of msgs, sent on from one after the other. Where
// messages may be lost, those of earlier ledgers may still arrive.
func (e *env) expect(from transport.Channel, msgs []transport.Message) *expectation {
	x := newExpectation(properties(from), msgs)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sent == nil {
		e.sent = map[transport.Channel]*expectation{}
	}
	if !x.reliable {
		x.earlier = e.sent[from]
	}
	e.sent[from] = x
	return x
}

// closeAll ends every channel that the check opened, without ceremony where
// the channel can, and waits for it.
func (e *env) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var wg sync.WaitGroup
	for _, ch := range e.opened {
		wg.Go(func() {
			_ = transport.Abort(ch)
			_ = ch.Close()
		})
	}
	wg.Wait()
	e.opened = nil
}

// times picks a number of repetitions.
func (e *env) times(full, quick int) int {
	if e.Quick {
		return quick
	}
	return full
}

// closes calls Close where nothing stands in its way. Where messages may be
// lost, some that a check no longer cares about may be undelivered.
func (e *env) closes(ctx context.Context, ch transport.Channel) error {
	return forgive(ch, e.within(ctx, "Close", ch.Close))
}

func forgive(ch transport.Channel, err error) error {
	if !properties(ch).Reliable && errors.Is(err, transport.ErrUndelivered) {
		return nil
	}
	return err
}

// within calls f and fails if it does not return although it needs no waiting.
// f may be left behind: the check has failed then.
func (e *env) within(ctx context.Context, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(e.patience):
		return fmt.Errorf("%s did not return within %v", what, e.patience)
	case <-ctx.Done():
		return fmt.Errorf("%s did not return: %w", what, ctx.Err())
	}
}

// receives is within for one Receive.
func (e *env) receives(ctx context.Context, ch transport.Channel, what string) error {
	return e.within(ctx, what, func() error {
		_, err := ch.Receive(ctx)
		return err
	})
}

// properties returns what ch declares; what it does not declare is the least.
func properties(ch transport.Channel) transport.Properties {
	p, _ := transport.PropertiesOf(ch)
	return p
}

// want compares an error with the one that a rule asks for.
func want(what string, got, want error) error {
	if errors.Is(got, want) {
		return nil
	}
	if got == nil {
		return fmt.Errorf("%s returned nil, want an error that matches %q", what, want)
	}
	return fmt.Errorf("%s returned %w, want an error that matches %q", what, got, want)
}

// pause lets time pass that no event of the contract can replace: for
// something to happen that the kit cannot see, such as a call beginning to
// wait. A pause that is too short never fails a correct channel.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// carrierSlack is what a carrier may hold between the sender's queue and the
// receiver's window, in bytes: socket buffers of the kernel, mostly.
const carrierSlack = 16 << 20

// stall sends messages of size bytes to a peer that does not read until the
// channel has been full for Options.settle, and returns them. full is false if
// it took more than its declared buffers hold; check buffer-full complains about
// that, the others have nothing to test then.
func (e *env) stall(ctx context.Context, ch transport.Channel, size int) (accepted []transport.Message, full bool, err error) {
	p := properties(ch)
	limit := p.MaxBuffered + p.ReceiveBuffer + carrierSlack
	lastTaken := time.Now()
	for total := 0; total <= limit; {
		m := transport.Message{Data: pattern(len(accepted), size)}
		switch err := e.offerInTime(ctx, ch, m); {
		case err == nil:
			accepted = append(accepted, m)
			total += size
			lastTaken = time.Now()
		case !errors.Is(err, transport.ErrBufferFull):
			return accepted, false, fmt.Errorf("send %d of %d bytes to a peer that does not read: %w", len(accepted), size, err)
		case time.Since(lastTaken) > e.settle:
			return accepted, true, nil
		default:
			pause(ctx, 5*time.Millisecond)
		}
		if err := ctx.Err(); err != nil {
			return accepted, false, err
		}
	}
	return accepted, false, nil
}

// offerInTime is offer for a peer that does not read: it must not wait for it.
func (e *env) offerInTime(ctx context.Context, ch transport.Channel, m transport.Message) error {
	return e.within(ctx, "Send to a peer that does not read", func() error { return offer(ch, m) })
}

// eventually waits for what no call of the contract waits for.
func (e *env) eventually(ctx context.Context, what string, holds func() bool) error {
	deadline := time.Now().Add(e.patience)
	for !holds() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not happen within %v", what, e.patience)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s did not happen: %w", what, err)
		}
		pause(ctx, time.Millisecond)
	}
	return nil
}
