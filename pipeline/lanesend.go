package pipeline

import (
	"context"
	"slices"

	"github.com/chunkferry/chunkferry/chunker"
)

// send sends what there is to send until the lane ends.
func (l *lane) send() error {
	for {
		b, m := l.next()
		l.spoke.Store(int64(l.now()))
		var err error
		switch {
		case b != nil:
			err = l.sendBlock(b)
		case m != nil:
			err = l.wire.text(l.ctx, m)
		default:
			err = context.Cause(l.ctx)
		}
		if err != nil {
			return err
		}
	}
}

// next waits for something to send: hashes that were asked for, a block that
// the window has room for, or the end. It returns neither when the lane is over.
func (l *lane) next() (*outBlock, message) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case l.ctx.Err() != nil:
			return nil, nil
		case !l.ready:
		case s.check.count > 0:
			if m := l.takeHashes(); m != nil {
				return nil, m
			}
			fallthrough
		default:
			if b := l.takeBlock(); b != nil {
				return b, nil
			}
			if s.ended && !l.doneSent && s.check.count == 0 {
				l.doneSent = true
				return nil, &done{Size: s.size, Root: s.root}
			}
		}
		s.wake.Wait()
	}
}

// takeHashes takes a run of hashes that the receiver wants and that are known.
// s.mu is held.
func (l *lane) takeHashes() message {
	s := l.s
	for from := range s.check.all {
		if !s.hashed.has(from) {
			continue
		}
		m := &hashes{From: from}
		for n := from; len(m.Hashes) < maxBatch && s.check.has(n) && s.hashed.has(n); n++ {
			m.Hashes = append(m.Hashes, s.known[n])
			s.check.unset(n)
			l.told.set(n)
		}
		return m
	}
	return nil
}

// takeBlock takes the next block if there is room for it. s.mu is held.
func (l *lane) takeBlock() *outBlock {
	s := l.s
	if len(s.pending) == 0 {
		return nil
	}
	b := s.pending[0]
	room := min(l.window.size, l.credit)
	if l.inflight+int64(len(b.data)) > room {
		return nil
	}
	s.pending = s.pending[1:]
	b.lane = l
	b.senders++
	l.inflight += int64(len(b.data))
	if !slices.Contains(s.routes, l.route) {
		s.routes = append(s.routes, l.route)
	}
	return b
}

// sendBlock announces a block and sends its chunks.
func (l *lane) sendBlock(b *outBlock) error {
	s := l.s
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		b.senders--
		s.release(b)
	}()
	data := b.data // release leaves it alone as long as we are counted
	if err := l.wire.text(l.ctx, &block{Block: b.n, Size: len(data), Hash: b.hash}); err != nil {
		return err
	}
	chunk := int(l.wire.chunk.Load())
	h := chunker.FrameHeader{Frame: b.n, Total: uint32((len(data) + chunk - 1) / chunk)}
	for ; h.Index < h.Total; h.Index++ {
		part := data[:min(len(data), chunk)]
		data = data[len(part):]
		if err := s.rate.wait(l.ctx, len(part)); err != nil {
			return err
		}
		if err := l.wire.frame(l.ctx, h, part); err != nil {
			return err
		}
		s.accepted.Add(int64(len(part)))
		l.sent.Add(int64(len(part)))
		l.spoke.Store(int64(l.now()))
	}
	return nil
}

// quit takes the lane out of the transfer: what it had in flight goes back
// into the queue.
func (l *lane) quit() {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lanes, l)
	for _, b := range s.flight {
		if b.lane == l {
			b.lane = nil
			s.enqueue(b)
		}
	}
	if len(s.lanes) > 0 { // no accept will say what was lost with this lane
		for n := range l.told.all {
			s.check.set(n)
		}
		for other := range s.lanes {
			other.doneSent = false
		}
	}
	s.wake.Broadcast()
}
