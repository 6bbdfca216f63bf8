package chunker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// Where the marks stand by default.
//
// A carrier that counts bytes until they are acknowledged (WebRTC), or does not
// say what it counts, never has more than the high mark in flight, so the mark
// must exceed the bandwidth-delay product: 4 MiB carry 335 Mbit/s over 100 ms.
// There the low mark lies close below: what has drained is missing on the way.
//
// The others have windows of their own below the count, so the mark only has to
// keep the writer busy; more falls out of the processor's cache before it is
// written. On loopback 256 KiB carried 2.6 GB/s over WebSocket where 4 MiB
// carried 1.6. A quarter of it left when sending resumes keeps the carrier busy
// while the sender wakes up.
const (
	inFlightHighWater = 4 << 20
	queueHighWater    = 256 << 10
)

func countsInFlight(p transport.Properties) bool {
	return p.Buffered == transport.ReleaseAcknowledged || p.Buffered == transport.ReleaseUnknown
}

// defaultHighWater returns the high mark that suits what p counts.
func defaultHighWater(p transport.Properties) int {
	if countsInFlight(p) {
		return inFlightHighWater
	}
	return queueHighWater
}

// defaultLowWater returns the low mark that suits what p counts.
func defaultLowWater(p transport.Properties, high int) int {
	if countsInFlight(p) {
		return high - high/8
	}
	return high / 4
}

// pacer sends messages on a channel and keeps its buffered amount between two
// marks.
type pacer struct {
	ch        transport.MessageChannel
	high, low int // payload bytes
	chunk     int // payload bytes of a chunk
}

// newPacer checks that chunks with their header fit the channel and fills in
// the defaults.
func newPacer(ch transport.MessageChannel, header, chunk, high, low int) (pacer, error) {
	p, declared := transport.PropertiesOf(ch)
	if chunk == 0 {
		chunk = DefaultChunkSize
	}
	if chunk < 0 || high < 0 || low < 0 {
		return pacer{}, fmt.Errorf("%w: negative chunk size or water mark", ErrInvalid)
	}
	if chunk > p.MaxMessageSize-header {
		return pacer{}, fmt.Errorf("chunker: chunk size %d and header of %d: %w", chunk, header,
			&transport.SizeError{Size: min(chunk, math.MaxInt-header) + header, Limit: p.MaxMessageSize})
	}
	if high == 0 {
		high = max(defaultHighWater(p), low, 2*(header+chunk))
	}
	if low > high {
		return pacer{}, fmt.Errorf("%w: low water mark %d above the high one, %d", ErrInvalid, low, high)
	}
	if declared && p.MaxBuffered > 0 && high > p.MaxBuffered {
		high = p.MaxBuffered
	}
	if low == 0 || low > high {
		low = defaultLowWater(p, high)
	}
	return pacer{ch: ch, high: high, low: low, chunk: chunk}, nil
}

// send waits for room below the high mark and sends msg. When there is none,
// it lets the buffer drain to the low mark first.
func (p *pacer) send(ctx context.Context, msg []byte) error {
	room := max(0, p.high-len(msg))
	if p.ch.BufferedAmount() > room {
		if err := transport.Drain(ctx, p.ch, min(p.low, room)); err != nil {
			return err
		}
	}
	for pause := time.Millisecond; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sendable(p.ch); err != nil {
			return err
		}
		err := p.ch.Send(msg)
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		// The channel's own limit is below our marks, or somebody else sends
		// on it too.
		held := p.ch.BufferedAmount()
		if held > 0 {
			if err := transport.Drain(ctx, p.ch, min(p.low, held/2)); err != nil {
				return err
			}
			continue
		}
		// Full with nothing buffered: there is no event to wait for.
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, 16*time.Millisecond)
	}
}

// flush waits until the layer below has released everything.
func (p *pacer) flush(ctx context.Context) error {
	if p.ch.BufferedAmount() == 0 {
		return nil
	}
	return transport.Drain(ctx, p.ch, 0)
}

// sendable asks the state before a message is risked: a browser's WebSocket
// discards silently what is sent while it closes (WHATWG WebSockets, 3.1).
func sendable(ch transport.MessageChannel) error {
	switch ch.ReadyState() {
	case transport.StateOpen:
		return nil
	case transport.StateConnecting:
		return transport.ErrNotOpen
	default:
		return transport.ErrClosed
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
