package pipeline

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// wire sends messages on a channel and waits for room when it is full. text
// may be called by several goroutines, frame by one at a time.
type wire struct {
	ch        transport.Channel
	mostChunk int          // payload bytes of a chunk at most
	mostHigh  int          // bytes that the channel buffers at most
	chunk     atomic.Int64 // payload bytes of a chunk
	high      atomic.Int64 // bytes to buffer before waiting
	inFlight  bool         // the channel counts what is not acknowledged
	buf       []byte
}

// A control message waits behind what is in the channel's queue, and a chunk
// is the least that can be there. So both are a matter of time and not of
// size, as soon as the rate of the path is known.
const (
	chunkLeast = 16 << 10
	chunkMost  = 128<<10 - chunker.FrameHeaderSize
	chunkTime  = 60 * time.Millisecond
	highFirst  = 512 << 10
	highMost   = 16 << 20 // where the channel counts what is in flight
	highQueue  = 1 << 20  // where the carrier has windows of its own below what is counted
	highTime   = 250 * time.Millisecond
)

// newWire checks that ch is fit. wanted is the largest chunk, 0 for the
// default.
func newWire(ch transport.Channel, wanted int) (*wire, error) {
	p, declared := transport.PropertiesOf(ch)
	w := &wire{ch: ch, mostHigh: highMost, inFlight: true}
	if p.Buffered == transport.ReleaseKernel || p.Buffered == transport.ReleasePacketized {
		w.mostHigh, w.inFlight = highQueue, false
	}
	if declared && p.MaxBuffered > 0 {
		w.mostHigh = min(w.mostHigh, p.MaxBuffered)
	}
	if wanted == 0 {
		wanted = chunkMost
	}
	w.mostChunk = min(wanted, p.MaxMessageSize-chunker.FrameHeaderSize)
	w.chunk.Store(int64(w.mostChunk))
	w.high.Store(int64(min(highFirst, w.mostHigh)))
	switch {
	case declared && (!p.Ordered || !p.Reliable):
		return w, fmt.Errorf("%w: it is not ordered and reliable", ErrUnfit)
	case p.MaxMessageSize < transport.MessageSizeFloor:
		return w, fmt.Errorf("%w: messages of at most %d bytes", ErrUnfit, p.MaxMessageSize)
	}
	return w, nil
}

// adapt fits chunk and queue to a path of so many bytes per second. Some
// carriers count what is not acknowledged yet (WebRTC), so that the queue must
// be more than a round trip.
func (w *wire) adapt(rate float64, rtt time.Duration) {
	if rate <= 0 {
		return
	}
	chunk := min(max(int64(rate*chunkTime.Seconds()), chunkLeast), int64(w.mostChunk))
	high := max(int64(rate*max(highTime, 4*rtt).Seconds()), 4*chunk)
	w.chunk.Store(chunk)
	w.high.Store(min(high, int64(w.mostHigh)))
}

// text sends a control message.
func (w *wire) text(ctx context.Context, m message) error {
	text := encode(m)
	return w.patiently(ctx, func() error { return w.ch.SendText(text) })
}

// frame sends one chunk.
func (w *wire) frame(ctx context.Context, h chunker.FrameHeader, payload []byte) error {
	w.buf = chunker.AppendFrame(w.buf[:0], h, payload)
	high := int(w.high.Load())
	if held := w.ch.BufferedAmount(); held > 0 && held+len(w.buf) > high {
		if err := transport.Drain(ctx, w.ch, min(w.low(high), max(0, high-len(w.buf)))); err != nil {
			return err
		}
	}
	if err := w.ch.Send(w.buf); !errors.Is(err, transport.ErrBufferFull) {
		return err
	}
	return w.patiently(ctx, func() error { return w.ch.Send(w.buf) })
}

// low is where sending resumes. What has drained of bytes in flight is missing
// on the way, so there it is little.
func (w *wire) low(high int) int {
	if w.inFlight {
		return high - high/8
	}
	return high / 2
}

// patiently repeats send for as long as the channel's queue is full.
func (w *wire) patiently(ctx context.Context, send func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := send()
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		if held := w.ch.BufferedAmount(); held > 0 {
			if err := transport.Drain(ctx, w.ch, held/2); err != nil {
				return err
			}
		} else if err := sleep(ctx, pause); err != nil { // full with nothing buffered: no event to wait for
			return err
		}
	}
}

// proof shows the knowledge of a token without telling it: HMAC-SHA-256 of the
// protocol's name and the receiver's nonce, keyed with the token.
func proof(token, nonce string) string {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte(Protocol + " token " + nonce)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}
