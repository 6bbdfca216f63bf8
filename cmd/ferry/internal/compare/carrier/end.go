package carrier

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// channelEnd is the end of a transport's channel: a file goes through the
// chunker.
type channelEnd struct {
	ch   transport.Channel
	opts Options
}

// channelEnds are the ends of two channels that are connected.
func channelEnds(o Options, near, far transport.Channel) (End, End) {
	return &channelEnd{near, o}, &channelEnd{far, o}
}

// HighWater is the mark that an upload over ch keeps, in bytes; 0 if it is
// refused, which Send will say.
func HighWater(ch transport.Channel, o Options) int {
	up, err := chunker.NewUploader(ch, nil, 0, o.uploader())
	if err != nil {
		return 0
	}
	return up.HighWater()
}

func (o Options) uploader() *chunker.UploaderOptions {
	return &chunker.UploaderOptions{ChunkSize: o.ChunkSize, HighWater: o.HighWater}
}

func (e *channelEnd) Send(ctx context.Context, src io.Reader, size int64) error {
	up, err := chunker.NewUploader(e.ch, src, size, e.opts.uploader())
	if err != nil {
		return err
	}
	return up.Upload(ctx)
}

func (e *channelEnd) Receive(ctx context.Context, w io.WriterAt, size int64) error {
	got, err := chunker.ReceiveFile(ctx, e.ch, w, nil)
	if err == nil && got != size {
		err = fmt.Errorf("carrier: a file of %d bytes arrived, not %d", got, size)
	}
	return err
}

func (e *channelEnd) Put(ctx context.Context, message []byte) error {
	for {
		err := e.ch.Send(message)
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		if err := transport.Drain(ctx, e.ch, 0); err != nil {
			return err
		}
	}
}

func (e *channelEnd) Get(ctx context.Context, n int) ([]byte, error) {
	m, err := e.ch.Receive(ctx)
	if err == nil && len(m.Data) != n {
		err = fmt.Errorf("carrier: a message of %d bytes arrived, not %d", len(m.Data), n)
	}
	return m.Data, err
}

func (e *channelEnd) Buffered() int { return e.ch.BufferedAmount() }

// bareEnd is the end of a baseline: a stream of bytes, written and read in
// pieces of a chunk. A done context ends it through its session, which must
// close what is below.
type bareEnd struct {
	rw  io.ReadWriter
	buf []byte // of Get
	out []byte // of Send
	in  []byte // of Receive
}

func newBareEnd(rw io.ReadWriter, o Options) *bareEnd {
	return &bareEnd{rw: rw, out: make([]byte, o.ChunkSize), in: make([]byte, o.ChunkSize)}
}

func (e *bareEnd) Send(ctx context.Context, src io.Reader, size int64) error {
	for left := size; left > 0; {
		piece := e.out[:min(int64(len(e.out)), left)]
		if _, err := io.ReadFull(src, piece); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := e.rw.Write(piece); err != nil {
			return err
		}
		left -= int64(len(piece))
	}
	return nil
}

func (e *bareEnd) Receive(ctx context.Context, w io.WriterAt, size int64) error {
	for at := int64(0); at < size; {
		n, err := e.rw.Read(e.in[:min(int64(len(e.in)), size-at)])
		if n > 0 {
			if _, err := w.WriteAt(e.in[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if at < size && err != nil {
			return err
		}
		if err := ctx.Err(); err != nil && at < size {
			return err
		}
	}
	return nil
}

func (e *bareEnd) Put(_ context.Context, message []byte) error {
	_, err := e.rw.Write(message)
	return err
}

func (e *bareEnd) Get(_ context.Context, n int) ([]byte, error) {
	if cap(e.buf) < n {
		e.buf = make([]byte, n)
	}
	_, err := io.ReadFull(e.rw, e.buf[:n])
	return e.buf[:n], err
}

func (e *bareEnd) Buffered() int {
	if b, ok := e.rw.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return -1
}
