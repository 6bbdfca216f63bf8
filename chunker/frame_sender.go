package chunker

import (
	"context"

	"github.com/chunkferry/chunkferry/transport"
)

// FrameOptions tune a [FrameSender]. A nil pointer and zero fields mean the
// defaults.
type FrameOptions struct {
	// ChunkSize is the payload of every chunk but the last, in bytes. With
	// the header it must fit the channel's MaxMessageSize.
	// Default DefaultChunkSize.
	ChunkSize int

	// HighWater and LowWater work as in [UploaderOptions].
	HighWater, LowWater int
}

// FrameSender sends frames as chunks with the 12-byte header. It owns one
// buffer of a chunk and allocates nothing per frame. One goroutine at a time
// may use it; any number of FrameSenders may share a channel, and their frames
// then interleave.
type FrameSender struct {
	pace pacer
	buf  []byte
}

// NewFrameSender returns a FrameSender on ch, which may be unordered and
// unreliable.
//
// Errors: [ErrInvalid], and one matching [transport.ErrTooLarge] when the
// chunk size does not fit the channel.
func NewFrameSender(ch transport.MessageChannel, opts *FrameOptions) (*FrameSender, error) {
	var o FrameOptions
	if opts != nil {
		o = *opts
	}
	pace, err := newPacer(ch, FrameHeaderSize, o.ChunkSize, o.HighWater, o.LowWater)
	if err != nil {
		return nil, err
	}
	return &FrameSender{pace: pace}, nil
}

// Send sends payload as one frame, as many chunks as it takes, one empty chunk
// if it is empty. It returns when the channel has accepted the last of them.
//
// An error is a [ChunkError] that names the chunk in hand; it wraps ctx.Err(),
// [transport.ErrNotOpen], one matching [transport.ErrClosed], or [ErrLimit].
// The chunks before that one have been sent; the receiver drops them by age.
func (s *FrameSender) Send(ctx context.Context, frame uint32, payload []byte) error {
	h := FrameHeader{Frame: frame}
	total, err := chunksOf(int64(len(payload)), s.pace.chunk)
	if err != nil {
		return h.fail(err)
	}
	for h.Total = total; h.Index < total; h.Index++ {
		n := min(len(payload), s.pace.chunk)
		s.buf = AppendFrame(s.buf[:0], h, payload[:n])
		if err := s.pace.send(ctx, s.buf); err != nil {
			return h.fail(err)
		}
		payload = payload[n:]
	}
	return nil
}

// SendFrame sends one frame: [FrameSender.Send] with a sender of its own. Who
// sends many frames saves the buffer's allocation with a FrameSender.
func SendFrame(ctx context.Context, ch transport.MessageChannel, frame uint32, payload []byte, opts *FrameOptions) error {
	s, err := NewFrameSender(ch, opts)
	if err != nil {
		return err
	}
	return s.Send(ctx, frame, payload)
}
