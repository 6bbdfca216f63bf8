package wschan

import (
	"context"
	"sync"
)

// pings answers pings beside the reader, so that a pong which cannot be
// written for the moment holds up nothing. Of several pings that are waiting
// only the last is answered, as RFC 6455, section 5.5.3 allows.
type pings struct {
	pong func(payload []byte) error // set before the first ping

	work sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	waiting [125]byte  // the payload to be answered, of size bytes
	size    int        // -1: no ping is waiting
	busy    bool       // a goroutine is answering
	stopped bool
}

// received is the library's OnPingReceived. It declines the library's pong,
// which would end the connection if it could not be written within 5 seconds.
func (p *pings) received(_ context.Context, payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.size = copy(p.waiting[:], payload)
	if !p.busy {
		p.busy = true
		p.work.Go(p.answer)
	}
	return false
}

func (p *pings) answer() {
	var payload [125]byte
	for {
		p.mu.Lock()
		size := p.size
		copy(payload[:], p.waiting[:max(size, 0)])
		p.size = -1
		p.busy = size >= 0
		p.mu.Unlock()
		if size < 0 {
			return
		}
		if err := p.pong(payload[:size]); err != nil {
			return // and stay busy: the connection is gone
		}
	}
}

// stop waits for a pong under way; the connection must be closed.
func (p *pings) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.work.Wait()
}
