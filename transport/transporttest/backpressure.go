package transporttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// declares verifies that the bounds are declared at all, and are bounds.
func declares(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	const sane = 256 << 20
	for _, ch := range []transport.Channel{a, b} {
		p, ok := transport.PropertiesOf(ch)
		switch {
		case !ok:
			return errors.New("the channel does not declare its properties: implement transport.Describer")
		case p.MaxBuffered <= 0 || p.MaxBuffered > sane:
			return fmt.Errorf("Properties.MaxBuffered is %d, want 1 to %d", p.MaxBuffered, sane)
		case p.ReceiveBuffer <= 0 || p.ReceiveBuffer > sane:
			return fmt.Errorf("Properties.ReceiveBuffer is %d, want 1 to %d", p.ReceiveBuffer, sane)
		case p.DeadPeer < 0:
			return fmt.Errorf("Properties.DeadPeer is %v", p.DeadPeer)
		}
	}
	if la, lb := properties(a).Label, properties(b).Label; la != lb {
		return fmt.Errorf("one end has the label %q, the other %q", la, lb)
	}
	return nil
}

// bufferFull sends to a peer that does not read until the channel is full, and
// again when the peer has read it empty.
func bufferFull(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	const size = 16 << 10
	msgs, full, err := e.stall(ctx, a, size)
	if err != nil {
		return err
	}
	if !full && p.Reliable {
		return fmt.Errorf("%d bytes were accepted although nobody reads, MaxBuffered is %d and ReceiveBuffer %d",
			len(msgs)*size, p.MaxBuffered, p.ReceiveBuffer)
	}
	if n := a.BufferedAmount(); n > max(p.MaxBuffered, size) {
		return fmt.Errorf("BufferedAmount is %d, above the MaxBuffered of %d", n, p.MaxBuffered)
	}
	if err := e.receiveAll(ctx, b, newExpectation(p, msgs)); err != nil {
		return err
	}
	if !p.Reliable {
		return nil
	}
	if err := e.drains(ctx, a, 0, "after the peer has read everything"); err != nil {
		return err
	}
	if err := offer(a, transport.Message{Data: make([]byte, p.MaxMessageSize)}); err != nil {
		return fmt.Errorf("the largest message on an empty channel was refused: %w", err)
	}
	return nil
}

// heap returns the bytes in use by live objects and stacks.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// flood sends msg to a peer that does not read, again and again, until nothing
// has been taken for a second, most messages were, or the time is over.
func (e *env) flood(ctx context.Context, ch transport.Channel, msg []byte, most int) (accepted int, err error) {
	begin, lastTaken := time.Now(), time.Now()
	for accepted < most && time.Since(begin) < 6*time.Second && time.Since(lastTaken) < time.Second {
		if err := ctx.Err(); err != nil {
			return accepted, err
		}
		err := ch.Send(msg)
		switch {
		case err == nil:
			accepted++
			lastTaken = time.Now()
		case !errors.Is(err, transport.ErrBufferFull):
			return accepted, err
		default:
			pause(ctx, time.Millisecond)
		}
	}
	return accepted, nil
}

// holdsAtMost floods a channel and weighs the process: both ends live in it.
func (e *env) holdsAtMost(ctx context.Context, size, most, slack int) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := e.works(ctx, a, b); err != nil {
		return err
	}
	p := properties(a)
	limit := 2*(p.MaxBuffered+p.ReceiveBuffer) + slack
	msg := make([]byte, size)
	before := heap()
	accepted, err := e.flood(ctx, a, msg, most)
	if err != nil {
		return err
	}
	grown := heap() - before
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
	if grown > limit {
		return fmt.Errorf("memory grew by %d MiB with %d unread messages of %d bytes, want at most %d MiB: twice MaxBuffered and ReceiveBuffer, and %d MiB",
			grown>>20, accepted, size, limit>>20, slack>>20)
	}
	return nil
}

func memory(ctx context.Context, e *env) error {
	const size = 48 << 10
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	most := (4*(p.MaxBuffered+p.ReceiveBuffer) + 128<<20) / size
	return e.holdsAtMost(ctx, size, most, 32<<20)
}

// memoryTinyMessages floods with messages whose payload is nothing next to what
// it costs to keep them.
func memoryTinyMessages(ctx context.Context, e *env) error {
	for _, size := range []int{0, 1} {
		if err := e.holdsAtMost(ctx, size, 4<<20, 64<<20); err != nil {
			return err
		}
	}
	return nil
}

// resumeLimit is what R15 grants.
const resumeLimit = 2 * time.Second

// flowResumes stops reading for three seconds. A machine that is busy with
// something else gets two more chances.
func flowResumes(ctx context.Context, e *env) error {
	var err error
	for range 3 {
		if err = e.flowResumesOnce(ctx, 3*e.patience/20); err == nil {
			return nil
		}
	}
	return err
}

func (e *env) flowResumesOnce(ctx context.Context, stop time.Duration) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if _, full, err := e.stall(ctx, a, 16<<10); err != nil || !full {
		return err
	}
	pause(ctx, stop)
	reading, cancel := context.WithCancel(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := b.Receive(reading); err != nil {
				return
			}
		}
	}()
	defer func() { cancel(); <-read }()
	resumed := time.Now()
	msg := transport.Message{Data: pattern(0, 16<<10)}
	for {
		err := offer(a, msg)
		if since := time.Since(resumed); since > resumeLimit {
			return fmt.Errorf("Send still answers %v %v after the peer has resumed reading", err, since.Round(time.Millisecond))
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		pause(ctx, 2*time.Millisecond)
	}
}

// slowReader takes a message every five milliseconds from a sender that is
// always ahead.
func slowReader(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	size := min(p.MaxMessageSize, 48<<10)
	msgs := same((p.MaxBuffered+p.ReceiveBuffer)/size+e.times(200, 50), size)
	slow := e.times(200, 50)
	pace := func() {
		if slow > 0 {
			slow--
			pause(ctx, 5*time.Millisecond)
		}
	}
	return e.exchange(ctx, a, b, newExpectation(p, msgs), pace, func(ctx context.Context) error {
		return sendList(ctx, a, msgs)
	})
}

// sendDoesNotWait sends to a peer that does not read; offerInTime complains.
func sendDoesNotWait(ctx context.Context, e *env) error {
	a, _, err := e.open(ctx)
	if err != nil {
		return err
	}
	if _, full, err := e.stall(ctx, a, 16<<10); err != nil || !full {
		return err
	}
	for _, m := range []transport.Message{{Data: make([]byte, 16<<10)}, {Data: make([]byte, 16<<10), Text: true}} {
		if err := e.offerInTime(ctx, a, m); err != nil && !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
	}
	return nil
}

// sendWholeOrNothing offers what is refused, and looks whether it arrives.
func sendWholeOrNothing(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	for i := range 50 {
		m := transport.Message{Data: pattern(-1-i, 16<<10), Text: false}
		switch err := offer(a, m); {
		case err == nil:
			msgs = append(msgs, m)
		case !errors.Is(err, transport.ErrBufferFull):
			return err
		}
	}
	more := same(50, 999)
	return e.exchange(ctx, a, b, e.expect(a, append(msgs, more...)), nil, func(ctx context.Context) error {
		return sendList(ctx, a, more)
	})
}
