package emulator

import (
	"sync"
	"time"
)

// Pipe is one direction of a link. Its methods may be called concurrently.
type Pipe struct {
	cfg     Config
	deliver func(packet []byte)
	start   time.Time
	wake    chan struct{} // cap 1: something is due earlier than the courier thinks
	done    chan struct{}
	stopped sync.WaitGroup
	alarm   *alarm // nil: Go's timers alone

	mu     sync.Mutex
	closed bool
	dice   *dice
	tx     transmitter
	wire   wire
	sent   int64 // parcels so far
	asleep int64 // when the courier will wake by itself; 0 while it works
	spare  [][]byte
	stats  Stats
	meter  *Meter
}

// Options of [New]; nil and the zero value are good.
type Options struct {
	// FineTimer wakes by a timer of the operating system, good to some 50
	// microseconds, where Go's own timers are up to a millisecond late.
	// It exists on Linux and is ignored elsewhere. Leave it out in a bubble of
	// testing/synctest, whose virtual time would stand still.
	FineTimer bool
}

// New starts a Pipe that hands what arrives to deliver: one packet at a time,
// from one goroutine, in order of arrival. The packet may be read until deliver
// returns. While deliver runs, nothing else arrives, and deliver must not call
// Close. The error matches [ErrConfig], or is the system's that refused a timer.
func New(cfg Config, deliver func(packet []byte), opts *Options) (*Pipe, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pipe{
		cfg:     cfg.withDefaults(),
		deliver: deliver,
		start:   time.Now(),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		tx:      transmitter{rate: cfg.Rate, limit: cfg.Queue},
		meter:   NewMeter(),
	}
	p.dice = newDice(&p.cfg)
	if opts != nil && opts.FineTimer {
		var err error
		if p.alarm, err = newAlarm(p.poke); err != nil {
			return nil, err
		}
	}
	p.stopped.Go(p.courier)
	return p, nil
}

// Send puts one IP packet on the link and keeps nothing of it. What does not get
// through vanishes, as on a real link; see [Stats]. After Close it does nothing.
func (p *Pipe) Send(packet []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	lap := p.meter.Enter()
	now := int64(time.Since(p.start))
	f := p.dice.next()
	p.stats.Offered.add(len(packet))
	if len(packet) > p.cfg.MTU {
		p.stats.DroppedMTU.add(len(packet))
	} else {
		p.carry(now, packet, f)
		if f.twice {
			p.stats.Duplicated.add(len(packet))
			p.carry(now, packet, f)
		}
	}
	p.meter.Leave(lap)
}

// carry decides when the packet arrives, if it does.
func (p *Pipe) carry(now int64, packet []byte, f fate) {
	size := len(packet)
	sent, ok := p.tx.accept(now, size)
	if !ok || len(p.wire) >= maxHeld/p.cfg.MTU {
		p.stats.DroppedQueue.add(size)
		return
	}
	p.stats.QueueHigh = max(p.stats.QueueHigh, p.tx.queued)
	for _, o := range p.cfg.Outages {
		if o.covers(sent) {
			p.stats.DroppedOutage.add(size)
			return
		}
	}
	if f.lost {
		p.stats.DroppedLoss.add(size)
		return
	}
	due := sent + int64(p.cfg.Delay)
	switch {
	case p.cfg.Jitter == 0:
	case p.cfg.JitterReorders:
		due += int64(f.jitter * float64(p.cfg.Jitter))
	default:
		due += drift(p.cfg.Seed, int64(p.cfg.Jitter), sent)
	}
	if f.held {
		p.stats.Reordered.add(size)
		due += int64(p.cfg.ReorderBy)
	}
	data := append(p.buffer(), packet...)
	if f.flip >= 0 && size > 0 {
		p.stats.Corrupted.add(size)
		bit := f.flip % int64(8*size)
		data[bit/8] ^= 1 << (bit % 8)
	}
	p.sent++
	p.wire.push(parcel{due: due, n: p.sent, data: data})
	p.stats.InFlight.add(size)
	if due < p.asleep {
		p.asleep = 0
		p.poke()
	}
}

func (p *Pipe) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Pipe) buffer() []byte {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b
	}
	return make([]byte, 0, p.cfg.MTU)
}

// courier hands over everything that is due, and sleeps until the next.
func (p *Pipe) courier() {
	const never = 1<<63 - 1
	timer := time.NewTimer(never)
	defer timer.Stop()
	var batch [][]byte
	for {
		var pause time.Duration
		batch, pause = p.due(batch)
		for _, packet := range batch {
			p.deliver(packet)
		}
		if len(batch) > 0 {
			continue
		}
		if pause < never {
			timer.Reset(pause)
			p.alarm.set(pause)
		}
		select {
		case <-p.done:
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// due takes back the buffers of the batch before, and returns the packets that
// are due in its place, or how long there will be none.
func (p *Pipe) due(batch [][]byte) ([][]byte, time.Duration) {
	const most = 64 // packets handed over without looking at the clock
	p.mu.Lock()
	defer p.mu.Unlock()
	lap := p.meter.Enter()
	defer p.meter.Leave(lap)
	for _, packet := range batch {
		p.stats.Delivered.add(len(packet))
		p.stats.InFlight.Packets--
		p.stats.InFlight.Bytes -= int64(len(packet))
		p.spare = append(p.spare, packet[:0])
	}
	batch = batch[:0]
	p.asleep = 0
	if p.closed {
		return batch, 1<<63 - 1
	}
	now := int64(time.Since(p.start))
	for len(p.wire) > 0 && p.wire[0].due <= now && len(batch) < most {
		next := p.wire.pop()
		late := time.Duration(now - next.due)
		p.stats.MaxLate = max(p.stats.MaxLate, late)
		if late > time.Millisecond {
			p.stats.Late++
		}
		batch = append(batch, next.data)
	}
	switch {
	case len(batch) > 0:
		return batch, 0
	case len(p.wire) > 0:
		p.asleep = p.wire[0].due
		return batch, time.Duration(p.asleep - now)
	default:
		p.asleep = 1<<63 - 1
		return batch, 1<<63 - 1
	}
}

// Stats returns what the Pipe has done so far.
func (p *Pipe) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.CPU = p.meter.Total()
	return s
}

// Close stops the Pipe; what is on its way is lost. When it returns, deliver has
// returned and will not be called again. It may be called twice.
func (p *Pipe) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		close(p.done)
	}
	p.stopped.Wait()
	if first {
		return p.alarm.close()
	}
	return nil
}
