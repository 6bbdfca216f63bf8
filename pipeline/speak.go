package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// tell wakes speak.
func (v *session) tell() {
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// speak sends acknowledgements as they come, heartbeats, and the last word;
// and it ends a session whose sender is silent.
func (v *session) speak() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	delay := time.NewTimer(0)
	defer delay.Stop()
	var over <-chan struct{}
	for {
		if t := v.t.Load(); t != nil && over == nil {
			over = t.over
		}
		beat := false
		select {
		case <-v.ctx.Done():
			return
		case <-over:
			err := v.report(false) // what was written last
			if err == nil {
				err = v.conclude(v.t.Load())
			}
			v.cancel(err)
			return
		case <-v.news:
			if !v.urgent() {
				delay.Reset(ackDelay)
				continue
			}
		case <-delay.C:
		case <-tick.C:
			beat = true
			if err := v.overdue(); err != nil {
				v.cancel(err)
				return
			}
		}
		if err := v.report(beat); err != nil {
			if errors.Is(err, transport.ErrClosed) { // the sender's last word may say why
				_ = sleep(v.ctx, lingerTimeout)
			}
			v.cancel(err)
			return
		}
	}
}

// ackDelay is how long an acknowledgement may wait for others.
const ackDelay = 2 * time.Millisecond

// urgent reports whether there is enough to acknowledge, an eighth of what the
// sender may have under way, or anything to ask for.
func (v *session) urgent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.settled >= v.credit/8 || len(v.asking) > 0
}

// overdue reports a sender that has been silent for too long.
func (v *session) overdue() error {
	now := time.Since(v.began)
	v.srv.mu.Lock()
	stranger := v.srv.strangers[v]
	v.srv.mu.Unlock()
	limit := v.srv.opts.HandshakeTimeout
	if stranger && (now-time.Duration(v.asked.Load()) > limit || now > 10*limit) {
		return fmt.Errorf("%w: no transfer asked for within %v", ErrIdle, v.srv.opts.HandshakeTimeout)
	}
	if v.busy.Load() {
		v.heard.Store(int64(now))
	}
	if silent := now - time.Duration(v.heard.Load()); silent > v.srv.opts.IdleTimeout {
		return fmt.Errorf("%w: nothing heard for %v", ErrIdle, silent.Round(time.Millisecond))
	}
	return nil
}

// report sends what there is to acknowledge and to ask for; if beat is set,
// something in any case.
func (v *session) report(beat bool) error {
	t := v.t.Load()
	if t == nil || !v.live.Load() {
		if beat {
			return v.wire.text(v.ctx, &ping{})
		}
		return nil
	}
	t.mu.Lock()
	durable := t.durable
	t.mu.Unlock()
	v.mu.Lock()
	blocks, asking := rangesOf(v.acked), rangesOf(v.asking)
	v.acked, v.asking, v.settled = v.acked[:0], v.asking[:0], 0
	v.mu.Unlock()
	for first := true; len(blocks) > 0 || first && beat; first = false {
		k := min(len(blocks), maxBatch)
		m := &ack{Blocks: blocks[:k], Received: v.bytes.Load(), Durable: durable}
		if err := v.wire.text(v.ctx, m); err != nil {
			return err
		}
		blocks = blocks[k:]
	}
	for len(asking) > 0 {
		k := min(len(asking), maxBatch)
		if err := v.wire.text(v.ctx, &resend{Blocks: asking[:k]}); err != nil {
			return err
		}
		asking = asking[k:]
	}
	return nil
}

// errConcluded ends a session whose sender has been told how it ended.
var errConcluded = errors.New("pipeline: concluded")

// conclude tells the sender how the transfer ended and gives it time to take
// leave.
func (v *session) conclude(t *transfer) error {
	v.told = true
	if t.err != nil {
		return t.err
	}
	var names [][2]string
	flush := func() error {
		batch := names
		names = nil
		return v.wire.text(v.ctx, &renamed{Names: batch})
	}
	size := 0
	for _, f := range t.receipt.Files {
		if f.Path == f.Name {
			continue
		}
		names = append(names, [2]string{f.Path, f.Name})
		if size += len(f.Path) + len(f.Name) + 10; size > maxControl {
			if err := flush(); err != nil {
				return err
			}
			size = 0
		}
	}
	if len(names) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	if err := v.wire.text(v.ctx, &complete{Size: t.receipt.Size, Root: t.receipt.Root, Files: len(t.receipt.Files)}); err != nil {
		return err
	}
	_ = sleep(v.ctx, lingerTimeout) // either is the end
	return errConcluded
}

// lingerTimeout is how long a sender may take to close after its receipt.
const lingerTimeout = 5 * time.Second

// farewell closes the channel, with the reason if there is one and nobody has
// said it.
func (v *session) farewell(err error) {
	var word message
	if c, ok := errors.AsType[*CancelError](err); ok {
		if !c.ByPeer {
			word = &cancel{Reason: clip(c.Reason)}
		}
	} else if _, ok := errors.AsType[*PeerError](err); !ok && err != nil &&
		!errors.Is(err, transport.ErrClosed) && !errors.Is(err, transport.ErrAborted) {
		word = report(err)
	}
	if word != nil {
		_ = v.wire.ch.SendText(encode(word)) // a closed channel says it for us
	}
	closeWithin(v.wire.ch, leaveTimeout)
}
