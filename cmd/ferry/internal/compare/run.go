package compare

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/transport"
)

// run is one measurement over a fresh link and a fresh connection.
type run struct {
	result.Run
	props     transport.Properties
	highWater int // bytes that the sender let a flow buffer; 0: not known
	window    carrier.Window
	linkUse   float64   // share of the rate in the second half; 0: not measured
	growth    float64   // of the rate at the end; 0: not measured
	idle      float64   // share of the time in which the carrier had nothing to send; -1: not known
	outside   float64   // cores that other programs used; 0: not known
	latencies []float64 // seconds
	err       error
}

// bench is what runs have in common.
type bench struct {
	cfg Config
	src *source
}

// one makes one run of a lane.
func (b *bench) one(ctx context.Context, l *lane, seed uint64) (r run) {
	if l.point.line.Real != nil {
		return b.over(ctx, l)
	}
	r.Seed = seed
	n, err := l.point.open(seed, l.dir)
	if err != nil {
		r.err = err
		return r
	}
	defer func() { _ = n.close() }() // what is left of it is in no figure
	place, err := l.carrier.Setup(n.hosts, l.point.options)
	if err != nil {
		r.err = fmt.Errorf("set up %s: %w", l.carrier.Name, err)
		return r
	}
	defer place.Close()
	if b.cfg.Mode == result.Open {
		r.err = b.opens(ctx, l, n, place, &r)
		return r
	}
	opening := time.Now()
	session, err := place.Connect(ctx, false)
	if err != nil {
		r.err = fmt.Errorf("open %s: %w", l.carrier.Name, err)
		return r
	}
	defer session.Close()
	r.OpenSeconds = time.Since(opening).Seconds()
	r.props, r.highWater, r.window = session.Properties, session.HighWater, session.Window
	if b.cfg.Mode == result.Messages {
		r.err = b.messages(ctx, l, n, session, &r)
	} else {
		r.err = b.bulk(ctx, l, n, session, &r)
	}
	return r
}

// ends are the sender and the receiver of a flow.
func ends(s *carrier.Session, i int, d result.Direction) (from, to carrier.End) {
	if d == result.Down {
		return s.Far[i], s.Near[i]
	}
	return s.Near[i], s.Far[i]
}

// usage measures what a run uses beside time.
type usage struct {
	network       network
	begin         time.Time
	cpu, busy     float64
	forward, back emulator.Stats // at begin
	reached       struct{ forward, back emulator.Stats }
	rate          int64 // bits/s, 0 for none

	samples []sample
	empty   int // samples in which nothing was buffered
	asked   int // samples in which the sender told
	stop    chan struct{}
	ended   chan struct{}
}

// sample is how much the link had carried at a time.
type sample struct {
	at    time.Time
	bytes int64
}

const samplePeriod = 20 * time.Millisecond

// measure starts measuring.
func (n network) measure(rate int64, senders []carrier.End) *usage {
	// What an earlier run left behind is not this run's memory.
	debug.FreeOSMemory()
	resetPeakMemory()
	u := &usage{network: n, rate: rate, stop: make(chan struct{}), ended: make(chan struct{})}
	if n.stats != nil {
		u.forward, u.back = n.stats()
	}
	u.cpu, u.busy, u.begin = cpuSeconds(), busySeconds(), time.Now()
	go u.watch(senders)
	return u
}

func (u *usage) watch(senders []carrier.End) {
	defer close(u.ended)
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		select {
		case <-u.stop:
			return
		case <-tick.C:
			if u.network.stats != nil {
				forward, _ := u.network.stats()
				u.samples = append(u.samples, sample{time.Now(), forward.Delivered.Bytes})
			}
			for _, s := range senders {
				if held := s.Buffered(); held >= 0 {
					u.asked++
					if held == 0 {
						u.empty++
					}
				}
			}
		}
	}
}

// freeze reads what the link has carried and returns the time. What is counted
// in a run must not be counted longer than its time lasts, nor the other way
// round: on a full link, a few milliseconds between the two make rates that
// cannot be.
func (u *usage) freeze() time.Time {
	if u.network.stats != nil {
		u.reached.forward, u.reached.back = u.network.stats()
	}
	return time.Now()
}

// finish fills in what was used up to freeze; end is not after that.
func (u *usage) finish(end time.Time, r *run) {
	close(u.stop)
	<-u.ended
	seconds := end.Sub(u.begin).Seconds()
	r.CPUSeconds = cpuSeconds() - u.cpu
	r.PeakRSSBytes = peakMemory()
	if busy := busySeconds(); busy > 0 && seconds > 0.1 { // the system counts in steps of 10 ms
		r.outside = max(0, (busy-u.busy-r.CPUSeconds)/seconds)
		r.outside = min(r.outside, float64(runtime.GOMAXPROCS(0)))
	}
	r.idle = -1
	if u.asked > 0 && r.props.Buffered != transport.ReleaseKernel { // what the kernel holds, nobody can see
		r.idle = float64(u.empty) / float64(u.asked)
	}
	if u.network.stats == nil {
		return
	}
	forward, back := u.reached.forward, u.reached.back
	lost := func(now, then emulator.Stats) int64 {
		return now.DroppedLoss.Packets + now.DroppedOutage.Packets + now.Corrupted.Packets + now.DroppedMTU.Packets -
			then.DroppedLoss.Packets - then.DroppedOutage.Packets - then.Corrupted.Packets - then.DroppedMTU.Packets
	}
	r.Wire = &result.Wire{
		Bytes:        forward.Offered.Bytes - u.forward.Offered.Bytes,
		Packets:      forward.Offered.Packets - u.forward.Offered.Packets,
		BackBytes:    back.Offered.Bytes - u.back.Offered.Bytes,
		BackPackets:  back.Offered.Packets - u.back.Offered.Packets,
		ArrivedBytes: forward.Delivered.Bytes - u.forward.Delivered.Bytes,
		DroppedBytes: forward.Dropped().Bytes - u.forward.Dropped().Bytes,
		DroppedLoss:  lost(forward, u.forward) + lost(back, u.back),
		DroppedQueue: forward.DroppedQueue.Packets - u.forward.DroppedQueue.Packets + back.DroppedQueue.Packets - u.back.DroppedQueue.Packets,
		QueueHigh:    forward.QueueHigh,
		Late:         forward.Late + back.Late - u.forward.Late - u.back.Late,
	}
	r.EmulatorSeconds = (forward.CPU + back.CPU - u.forward.CPU - u.back.CPU).Seconds()
	if n := len(u.samples); u.rate > 0 && n >= 4 {
		middle, last := u.samples[n/2], u.samples[n-1]
		r.linkUse = float64(last.bytes-middle.bytes) * 8 / float64(u.rate) / last.at.Sub(middle.at).Seconds()
	}
}
