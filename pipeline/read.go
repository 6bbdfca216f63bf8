package pipeline

import (
	"fmt"
	"sync"
)

// hashers is how many goroutines hash. One keeps up with a disk; two with
// memory.
const hashers = 2

// read reads the source from its beginning to its end, hashes it, and then
// stays to read again what is asked for.
func (s *sending) read() {
	r := newContentReader(s.src, s.layout)
	defer func() { _ = r.close() }() // it was read; closing says nothing

	work := make(chan *outBlock, hashers)
	var hashing sync.WaitGroup
	var only bool // written before the one block is queued
	for range hashers {
		hashing.Go(func() {
			for b := range work {
				b.hash = BlockHash(b.n, s.opts.BlockSize, b.data, only && b.n == 0)
				s.offerBlock(b)
			}
		})
	}
	size, err := s.readAll(r, work, &only)
	close(work)
	hashing.Wait()
	if err != nil {
		s.fail(err)
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	s.end(size)
	for {
		n, ok := s.nextAgain(true)
		if !ok {
			return
		}
		if err := s.readAgain(r, n); err != nil {
			s.fail(err)
			return
		}
	}
}

// end fixes size and root.
func (s *sending) end(size int64) {
	root := RootHash(s.known)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.size, s.root = true, size, root
	if s.early != nil {
		_ = s.compare(s.early) // it ends the transfer either way
	}
	s.wake.Broadcast()
}

// readAll queues every block for hashing. It returns early, without an error,
// when the transfer is over.
func (s *sending) readAll(r *contentReader, work chan<- *outBlock, only *bool) (size int64, err error) {
	total := s.layout.size
	for last := total == 0; !last; {
		for {
			n, ok := s.nextAgain(false)
			if !ok {
				break
			}
			if err := s.readAgain(r, n); err != nil {
				return 0, err
			}
		}
		buf := s.buffer()
		if buf == nil {
			return 0, nil
		}
		b := &outBlock{n: s.reading}
		var n int
		if total >= 0 {
			n = int(min(int64(len(buf)), total-size))
			err = r.readAt(buf[:n], size)
			last = size+int64(n) == total
		} else {
			n, last, err = r.next(buf, b.n == 0)
		}
		if err != nil {
			return 0, err
		}
		b.data = buf[:n]
		size += int64(n)
		if n == 0 {
			break
		}
		if b.n == 0 {
			*only = last
		}
		s.mu.Lock()
		s.readBytes = size
		s.reading++
		s.known = append(s.known, Hash{})
		tooMany := s.reading == maxBlocks
		s.mu.Unlock()
		work <- b
		if tooMany && !last {
			return 0, fmt.Errorf("%w: stream of more than %d blocks", ErrInvalid, uint32(maxBlocks))
		}
	}
	return size, nil
}

// nextAgain takes a block to be read a second time. With wait it waits for one
// until the transfer is over.
func (s *sending) nextAgain(wait bool) (n uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.again) == 0 {
		if !wait || s.ctx.Err() != nil {
			return 0, false
		}
		s.wake.Wait()
	}
	n = s.again[0]
	s.again = s.again[1:]
	return n, true
}

// readAgain reads block n once more, and makes sure that it is the same.
func (s *sending) readAgain(r *contentReader, n uint32) error {
	s.mu.Lock()
	size, want := s.sizeOf(n), s.known[n]
	s.mu.Unlock()
	if s.layout.size < 0 {
		return fmt.Errorf("%w: block %d", ErrLost, n)
	}
	buf := s.buffer()
	if buf == nil {
		return nil
	}
	b := &outBlock{n: n, data: buf[:size], hash: want}
	if err := r.readAt(b.data, int64(n)*int64(s.opts.BlockSize)); err != nil {
		return err
	}
	if !VerifyBlock(n, s.opts.BlockSize, b.data, want) {
		return fmt.Errorf("%w: block %d reads back differently", ErrSourceChanged, n)
	}
	s.offerBlock(b)
	return nil
}
