package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// sendCopies overwrites the buffer after every Send.
func sendCopies(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	const size = 1 << 10
	msgs := same(64, size)
	buf := make([]byte, size)
	for _, m := range msgs {
		copy(buf, m.Data)
		if err := send(ctx, a, transport.Message{Data: buf}); err != nil {
			return err
		}
		clear(buf)
	}
	return e.receiveAll(ctx, b, e.expect(a, msgs))
}

// sendChangesNothing looks at the buffer after Send and after it was received.
func sendChangesNothing(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	sent := same(64, 777)
	if err := e.transfer(ctx, a, b, sent); err != nil {
		return err
	}
	for i, m := range same(64, 777) {
		if !bytes.Equal(sent[i].Data, m.Data) {
			return errors.New("the caller's bytes are not what they were before Send")
		}
	}
	return nil
}

// receiveOwned scribbles on what it receives, while equal messages follow.
func receiveOwned(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	words := bin("the same words again and again")
	msgs := []transport.Message{words, words, words, words, words, words}
	x := &scribbler{e.expect(a, msgs)}
	err = e.exchange(ctx, a, b, x, nil, func(ctx context.Context) error { return sendList(ctx, a, msgs) })
	if err != nil {
		return fmt.Errorf("the receiver overwrote what it had received: %w", err)
	}
	return nil
}

// scribbler is a ledger that destroys what it has seen.
type scribbler struct{ *expectation }

func (s *scribbler) add(m transport.Message) error {
	err := s.expectation.add(m)
	clear(m.Data)
	return err
}

// receiveStable holds each message for a while: others arrive, and the receiver
// sends.
func receiveStable(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs := same(200, 4<<10)
	x := &holder{e.expect(a, msgs), ctx, b}
	return e.exchange(ctx, a, b, x, nil, func(ctx context.Context) error { return sendList(ctx, a, msgs) })
}

// holder is a ledger that looks twice.
type holder struct {
	*expectation
	ctx context.Context
	ch  transport.Channel
}

func (h *holder) add(m transport.Message) error {
	before := bytes.Clone(m.Data)
	if err := offer(h.ch, bin("a reply that nobody reads")); err != nil && !errors.Is(err, transport.ErrBufferFull) {
		return err
	}
	if h.seen%10 == 0 {
		pause(h.ctx, 2*time.Millisecond)
	}
	if !bytes.Equal(m.Data, before) {
		return errors.New("received bytes changed before the next Receive")
	}
	return h.expectation.add(m)
}
