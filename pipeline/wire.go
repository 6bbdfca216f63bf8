package pipeline

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// wire sends messages on a channel and waits for room when it is full. text
// may be called by several goroutines, frame by one at a time.
type wire struct {
	ch    transport.Channel
	chunk int          // payload bytes of a chunk
	most  int          // bytes that the channel buffers at most
	high  atomic.Int64 // bytes to buffer before waiting
	buf   []byte
}

// Bounds of what waits in a channel's queue. A control message waits behind
// it, so it should be a matter of time, not of size.
const (
	highFirst = 512 << 10
	highLeast = 256 << 10
	highMost  = 4 << 20
	highTime  = 250 * time.Millisecond
)

func newWire(ch transport.Channel, wanted int) (*wire, error) {
	w := &wire{ch: ch, most: highMost}
	if p, ok := transport.PropertiesOf(ch); ok && p.MaxBuffered > 0 {
		w.most = min(w.most, p.MaxBuffered)
	}
	w.high.Store(int64(min(highFirst, w.most)))
	var err error
	w.chunk, err = chunkFor(ch, wanted)
	return w, err
}

// setHigh lets the queue hold what the path takes in a quarter of a second;
// but two round trips at least, because some carriers count what is not
// acknowledged (WebRTC).
func (w *wire) setHigh(rate float64, rtt time.Duration) {
	if rate > 0 {
		high := int64(rate * max(highTime, 2*rtt).Seconds())
		w.high.Store(min(max(high, highLeast), int64(w.most)))
	}
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
		if err := transport.Drain(ctx, w.ch, high/4); err != nil {
			return err
		}
	}
	if err := w.ch.Send(w.buf); !errors.Is(err, transport.ErrBufferFull) {
		return err
	}
	return w.patiently(ctx, func() error { return w.ch.Send(w.buf) })
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
