package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func offer(ch transport.Channel, m transport.Message) error {
	if m.Text {
		return ch.SendText(string(m.Data))
	}
	return ch.Send(m.Data)
}

// send sends m, waiting for room as long as it takes.
func send(ctx context.Context, ch transport.Channel, m transport.Message) error {
	for {
		err := offer(ch, m)
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		if err := awaitRoom(ctx, ch); err != nil {
			return err
		}
	}
}

// awaitRoom waits after ErrBufferFull: for half the buffer, or, if the queue
// is full of messages that count little or nothing, for a moment.
func awaitRoom(ctx context.Context, ch transport.Channel) error {
	low := properties(ch).MaxBuffered / 2
	if ch.BufferedAmount() > low {
		return transport.Drain(ctx, ch, low)
	}
	pause(ctx, time.Millisecond)
	return ctx.Err()
}

// sendList sends msgs one after the other.
func sendList(ctx context.Context, ch transport.Channel, msgs []transport.Message) error {
	for i, m := range msgs {
		if err := send(ctx, ch, m); err != nil {
			return fmt.Errorf("send message %d of %d bytes: %w", i, len(m.Data), err)
		}
	}
	return nil
}

// ledger decides what may still arrive.
type ledger interface {
	add(m transport.Message) error // one message arrived
	complete() bool                // nothing more must arrive
	missing() error                // if not complete
}

const markerPrefix = "transporttest: end of transfer "

// newMarker returns a message that ends a transfer.
func newMarker() transport.Message {
	return bin(fmt.Sprintf("%s%016x", markerPrefix, rand.Uint64()))
}

// isMarker reports whether m ended some transfer. Where markers are sent again
// and again, some arrive late.
func isMarker(m transport.Message) bool {
	return !m.Text && bytes.HasPrefix(m.Data, []byte(markerPrefix))
}

// transfer sends msgs from one end to the other and verifies what arrives by
// what the channel declares: all in order, all exactly once, or a part of it
// once.
func (e *env) transfer(ctx context.Context, from, to transport.Channel, msgs []transport.Message) error {
	return e.exchange(ctx, from, to, e.expect(from, msgs), nil, func(ctx context.Context) error {
		return sendList(ctx, from, msgs)
	})
}

// exchange runs produce, which sends on from, and enters what arrives at to in
// the ledger, calling pace, if not nil, before each Receive. It ends when a
// marker sent after produce has arrived, so it also finds messages that arrive
// twice; where the marker may be lost it is sent again and again.
func (e *env) exchange(ctx context.Context, from, to transport.Channel, x ledger, pace func(), produce func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := properties(from)
	marker := newMarker()
	sent := make(chan error, 1)
	go func() {
		err := produce(ctx)
		if err == nil {
			err = send(ctx, from, marker)
		}
		for err == nil && !p.Reliable && ctx.Err() == nil {
			pause(ctx, 20*time.Millisecond)
			err = send(ctx, from, marker)
		}
		if err != nil && ctx.Err() == nil {
			cancel(err)
		}
		sent <- err
	}()

	idle := time.AfterFunc(e.patience, func() { cancel(fmt.Errorf("nothing arrived for %v", e.patience)) })
	defer idle.Stop()
	for markerSeen := false; !markerSeen || !x.complete(); {
		if pace != nil {
			pace()
		}
		m, err := to.Receive(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			if !x.complete() {
				return fmt.Errorf("%w; %w", x.missing(), err)
			}
			return err
		}
		idle.Reset(e.patience)
		if !m.Text && string(m.Data) == string(marker.Data) {
			markerSeen = true
			if p.Ordered && !x.complete() {
				return x.missing()
			}
			continue
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
	if !p.Reliable {
		cancel(nil)
		<-sent //nolint:errcheck // it says what a lost message made of it
		return nil
	}
	return <-sent
}

// receiveAll receives what must arrive. Where messages may be lost, it receives
// until it has been quiet for a while.
func (e *env) receiveAll(ctx context.Context, ch transport.Channel, x ledger) error {
	reliable := properties(ch).Reliable
	for !reliable || !x.complete() {
		patience := e.patience
		if !reliable {
			patience = 300 * time.Millisecond
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		m, err := ch.Receive(waiting)
		cancel()
		switch {
		case err != nil && !reliable:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%w; Receive returned %w", x.missing(), err)
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
	return nil
}

// works verifies that the channel carries messages both ways.
func (e *env) works(ctx context.Context, a, b transport.Channel) error {
	if err := e.transfer(ctx, a, b, binaries(11, 1001)); err != nil {
		return err
	}
	return e.transfer(ctx, b, a, binaries(11, 1001))
}

// stillWorks is works after something that must have changed nothing.
func (e *env) stillWorks(ctx context.Context, a, b transport.Channel, after string) error {
	if err := e.works(ctx, a, b); err != nil {
		return fmt.Errorf("after %s the channel does not work: %w", after, err)
	}
	return nil
}
