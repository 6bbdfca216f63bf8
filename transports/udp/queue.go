package udp

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

const (
	// maxQueued is how many bytes gather while a write is under way.
	maxQueued = 64 << 10
	// maxBurst is what one write may hold: UDP_MAX_SEGMENTS of older kernels,
	// and a bit less than the largest UDP packet.
	maxBurst, maxBurstBytes = 64, 65_000
	// lastWrites is how long Close tries to write what is queued.
	lastWrites = 100 * time.Millisecond
)

// queue holds packets until the writer, a goroutine that exists only while
// there are any, has written them.
type queue struct {
	socket *net.UDPConn
	bursts bool // the kernel takes bursts; the writer's once there is one
	oob    []byte

	mu       sync.Mutex // guards the fields below
	changed  sync.Cond
	waiting  batch // to be written
	spare    batch // the writer's while it is at work
	writing  bool
	isClosed bool
}

// batch is packets in their order.
type batch struct {
	data []byte
	runs []run
}

// run is consecutive packets to one peer, of the same size except that the
// last may be smaller.
type run struct {
	to          netip.AddrPort
	size, count int
	bytes       int
}

func (q *queue) init(socket *net.UDPConn) {
	q.socket, q.bursts = socket, canSendBursts(socket)
	q.changed.L = &q.mu
}

func (q *queue) write(p []byte, to netip.AddrPort) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.isClosed && len(q.waiting.data) > 0 && len(q.waiting.data)+len(p) > maxQueued {
		q.changed.Wait()
	}
	switch {
	case q.isClosed:
		return 0, &net.OpError{Op: "write", Net: "udp", Source: q.socket.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: net.ErrClosed}
	case !q.writing && (!q.bursts || len(p) > maxQueued):
		return q.socket.WriteToUDPAddrPort(p, to)
	}
	q.waiting.add(p, to)
	if !q.writing {
		q.writing = true
		go q.run()
	}
	return len(p), nil
}

// run writes until nothing is left.
func (q *queue) run() {
	for {
		runtime.Gosched() // those who are about to write may do so
		q.mu.Lock()
		if len(q.waiting.runs) == 0 {
			q.writing = false
			q.changed.Broadcast()
			q.mu.Unlock()
			return
		}
		b := q.waiting
		q.waiting = q.spare
		q.changed.Broadcast()
		q.mu.Unlock()

		q.writeBatch(&b)

		q.mu.Lock()
		q.spare = batch{b.data[:0], b.runs[:0]}
		q.mu.Unlock()
	}
}

func (q *queue) writeBatch(b *batch) {
	data := b.data
	for _, r := range b.runs {
		q.writeRun(data[:r.bytes], r)
		data = data[r.bytes:]
	}
}

func (q *queue) writeRun(data []byte, r run) {
	if r.count > 1 && q.bursts {
		q.oob = appendSegmentSize(q.oob[:0], r.size)
		_, _, err := q.socket.WriteMsgUDPAddrPort(data, q.oob, r.to)
		if !refused(err) {
			return
		}
		q.bursts = false
	}
	for range r.count {
		size := min(r.size, len(data))
		_, _ = q.socket.WriteToUDPAddrPort(data[:size], r.to) // as a network does, an error loses the packet
		data = data[size:]
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isClosed = true
	q.changed.Broadcast()
	_ = q.socket.SetWriteDeadline(time.Now().Add(lastWrites)) // fails on a closed socket only
	for q.writing {
		q.changed.Wait()
	}
}

func (b *batch) add(p []byte, to netip.AddrPort) {
	b.data = append(b.data, p...)
	if n := len(b.runs); n > 0 && b.runs[n-1].takes(len(p), to) {
		b.runs[n-1].count++
		b.runs[n-1].bytes += len(p)
		return
	}
	b.runs = append(b.runs, run{to: to, size: len(p), count: 1, bytes: len(p)})
}

// takes says whether a packet may join: as long as none before was smaller than
// the first, and if it is not larger.
func (r *run) takes(size int, to netip.AddrPort) bool {
	return r.to == to && 0 < size && size <= r.size && r.bytes == r.count*r.size &&
		r.count < maxBurst && r.bytes+size <= maxBurstBytes
}
