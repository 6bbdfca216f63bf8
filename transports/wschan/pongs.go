package wschan

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A reader to which messages come tells every signEvery that it reads. Pongs
// with another payload are heartbeats, which a peer that does not read sends,
// too.
const (
	signEvery = time.Second
	sign      = "reading"
)

// pongs are written beside the reader, so that one which cannot be written for
// the moment holds up nothing. They answer pings, of several that are waiting
// only the last, and without a ping they tell the peer that its messages are
// read: both as RFC 6455, section 5.5.3 allows.
type pongs struct {
	write func(payload []byte) error // set before the first pong

	signs atomic.Int64 // received

	work sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	waiting [125]byte  // the payload to be answered, of size bytes
	size    int        // -1: no ping is waiting
	busy    bool       // a goroutine is writing
	stopped bool

	signed time.Time // the reader's: when it last told
}

func newPongs() *pongs { return &pongs{size: -1, signed: time.Now()} }

// onPing is the library's OnPingReceived. It declines the library's pong,
// which would end the connection if it could not be written within 5 seconds.
func (p *pongs) onPing(_ context.Context, payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(payload)
	return false
}

// onPong is the library's OnPongReceived.
func (p *pongs) onPong(_ context.Context, payload []byte) {
	if string(payload) == sign {
		p.signs.Add(1)
	}
}

// reading is called before each read of a message.
func (p *pongs) reading() {
	now := time.Now()
	if now.Sub(p.signed) < signEvery {
		return
	}
	p.signed = now
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.busy {
		p.start([]byte(sign))
	}
}

// start is called with mu held.
func (p *pongs) start(payload []byte) {
	if p.stopped {
		return
	}
	p.size = copy(p.waiting[:], payload)
	if !p.busy {
		p.busy = true
		p.work.Go(p.run)
	}
}

func (p *pongs) run() {
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
		if err := p.write(payload[:size]); err != nil {
			return // and stay busy: the connection is gone
		}
	}
}

// stop waits for a pong under way; the connection must be closed.
func (p *pongs) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.work.Wait()
}
