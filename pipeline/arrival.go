package pipeline

import (
	"fmt"
)

// finish takes the sender's word on size and root.
func (t *transfer) finish(m *done) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	size := t.manifest.Size
	switch {
	case t.end != nil && *t.end != *m:
		return protocolError("done repeated with other values")
	case t.end != nil:
		return nil
	case size >= 0 && m.Size != size:
		return protocolError("done with %d bytes, offered were %d", m.Size, size)
	case m.Size < t.extent, t.short && m.Size != t.extent:
		return protocolError("done with %d bytes does not fit the blocks", m.Size)
	case m.Size > t.srv.opts.MaxSize:
		return fmt.Errorf("%w: more than %d bytes", ErrLimit, t.srv.opts.MaxSize)
	}
	t.end = m
	t.poke()
	return nil
}

// place checks that a block of size bytes is possible next to the others.
// t.mu is held.
func (t *transfer) place(n uint32, size int) error {
	b, total := int64(t.manifest.BlockSize), t.manifest.Size
	if t.end != nil {
		total = t.end.Size
	}
	begin := int64(n) * b
	end := begin + int64(size)
	switch {
	case total >= 0 && (begin >= total || int64(size) != min(b, total-begin)):
		return protocolError("block %d of %d bytes does not fit into %d", n, size, total)
	case int64(size) > b, int64(size) < b && end < t.extent, t.short && end > t.extent:
		return protocolError("block %d of %d bytes does not fit the others", n, size)
	case end > t.srv.opts.MaxSize:
		return fmt.Errorf("%w: more than %d bytes", ErrLimit, t.srv.opts.MaxSize)
	}
	if end >= t.extent {
		t.extent, t.short = end, t.short || total < 0 && int64(size) < b
	}
	return nil
}

// compare takes the sender's hashes of blocks that are kept from before, and
// returns those that must be sent again.
func (t *transfer) compare(m *hashes) (differ []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, h := range m.Hashes {
		n := m.From + uint32(i)
		if !t.check.unset(n) {
			continue
		}
		if t.hashes.get(n) == h {
			t.have.set(n)
			continue
		}
		t.written -= t.sizeOf(n)
		t.wanted.set(n)
		differ = append(differ, n)
	}
	t.poke()
	return differ
}

// announce checks what a session says about a block to come, and returns a
// buffer for it, or nil if it is not needed any more.
func (t *transfer) announce(m *block) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.place(m.Block, m.Size); err != nil {
		return nil, err
	}
	t.wanted.unset(m.Block)
	if t.have.has(m.Block) {
		return nil, nil
	}
	if k := len(t.free); k > 0 {
		buf := t.free[k-1]
		t.free = t.free[:k-1]
		return buf, nil
	}
	return make([]byte, t.manifest.BlockSize), nil
}

// recycle keeps a buffer for the next block.
func (t *transfer) recycle(buf []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(len(t.free)+1)*int64(t.manifest.BlockSize) <= t.srv.opts.Window {
		t.free = append(t.free, buf[:cap(buf)])
	}
}

// writersPerTransfer bounds the blocks of a transfer that are verified and
// written at the same time.
const writersPerTransfer = 4

// take verifies and writes a block in the background, and tells v.
func (t *transfer) take(v *session, in *incoming) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending {
		return
	}
	t.writers.Go(func() {
		verdict := t.write(in)
		if in.buf != nil {
			t.recycle(in.buf)
		}
		v.written(in, verdict)
		t.poke()
	})
}

// What became of a block.
type verdict int

const (
	verdictKept verdict = iota
	verdictBad
	verdictLost // the transfer ends
)

func (t *transfer) write(in *incoming) verdict {
	if !t.reserve(in) {
		return verdictKept
	}
	data := in.buf[:in.Size]
	var err error
	good := VerifyBlock(in.Block, t.manifest.BlockSize, data, in.Hash)
	if good {
		err = t.store.WriteBlock(in.Block, data, in.Hash)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy.unset(in.Block)
	t.settled.Broadcast()
	switch {
	case err != nil:
		t.stop(err)
		return verdictLost
	case !good:
		t.srv.badBlocks.Add(1)
		t.wanted.set(in.Block)
		if t.bad[in.Block]++; t.bad[in.Block] > maxResends {
			t.stop(fmt.Errorf("%w: block %d arrived damaged %d times", ErrCorrupt, in.Block, t.bad[in.Block]))
			return verdictLost
		}
		return verdictBad
	}
	if !t.check.unset(in.Block) {
		t.written += int64(in.Size)
	}
	t.have.set(in.Block)
	t.hashes.set(in.Block, in.Hash)
	t.srv.blocks.Add(1)
	return verdictKept
}

// reserve waits while another session writes the same block, and reports
// whether it must still be written.
func (t *transfer) reserve(in *incoming) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.busy.has(in.Block) || t.busy.count >= writersPerTransfer {
		t.settled.Wait()
	}
	if in.buf == nil || t.have.has(in.Block) {
		return false
	}
	t.busy.set(in.Block)
	return true
}
