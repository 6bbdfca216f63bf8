package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// Options of a client's requests.
type Options struct {
	Token                string
	Limit                time.Duration // of a transfer; 0: the server's
	ChunkSize, HighWater int           // bytes
}

// ask waits for the server's challenge and sends the request.
func ask(ctx context.Context, ch transport.Channel, o Options, do string, size int64) error {
	var c challenge
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := receiveJSON(waiting, ch, &c); err != nil {
		return refused(err)
	}
	return sendJSON(ch, request{
		Proof: proof(o.Token, c.Nonce), Do: do, Bytes: size, Milliseconds: o.Limit.Milliseconds(),
		ChunkSize: o.ChunkSize, HighWater: o.HighWater,
	})
}

// refused explains the end of a channel that has hardly begun.
func refused(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, transport.ErrAborted) || errors.Is(err, transport.ErrClosed) {
		return fmt.Errorf("%w (%w)", ErrRefused, err)
	}
	return err
}

// RTT measures the round trip over a channel of its own: the least of a few.
func RTT(ctx context.Context, ch transport.Channel, o Options) (time.Duration, error) {
	if err := ask(ctx, ch, o, echo, 0); err != nil {
		return 0, err
	}
	least := time.Duration(0)
	for range 8 {
		begin := time.Now()
		if err := ch.SendText("ping"); err != nil {
			return 0, refused(err)
		}
		if _, err := ch.Receive(ctx); err != nil {
			return 0, refused(err)
		}
		if d := time.Since(begin); least == 0 || d < least {
			least = d
		}
	}
	return least, nil
}

// Up sends size bytes of src, for as long as Options.Limit, and returns what the
// server has received and hashed. Progress is called with the bytes that had
// arrived some time ago.
func Up(ctx context.Context, ch transport.Channel, o Options, src io.Reader, size int64, progress func(bytes int64)) (Report, error) {
	if err := ask(ctx, ch, o, take, size); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	up, err := chunker.NewUploader(ch, src, size, &chunker.UploaderOptions{ChunkSize: o.ChunkSize, HighWater: o.HighWater})
	if err != nil {
		return Report{}, err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := up.Upload(ctx); err != nil {
			cancel(err)
		}
	}()
	defer func() {
		cancel(nil)
		<-sent
	}()
	for {
		var r Report
		if err := receiveJSON(ctx, ch, &r); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return Report{}, refused(err)
		}
		progress(r.Bytes)
		if r.Done {
			return r, nil
		}
	}
}

// Down asks for size bytes of Content and receives them into w.
func Down(ctx context.Context, ch transport.Channel, o Options, w io.WriterAt, size int64) error {
	if err := ask(ctx, ch, o, give, size); err != nil {
		return err
	}
	_, err := chunker.ReceiveFile(ctx, ch, w, nil)
	return err
}

// Talk sends a request again and again, waits for each answer of so many bytes,
// at least MinAnswer, and calls each with the time in between until that returns
// false. An answer other than the server's own is an error.
func Talk(ctx context.Context, ch transport.Channel, o Options, request []byte, size int, each func(time.Duration) bool) error {
	if err := ask(ctx, ch, o, talk, int64(size)); err != nil {
		return err
	}
	want := answer(request, size)
	for {
		begin := time.Now()
		if err := ch.Send(request); err != nil {
			return refused(err)
		}
		m, err := ch.Receive(ctx)
		if err != nil {
			return refused(err)
		}
		took := time.Since(begin)
		if !bytes.Equal(m.Data, want) {
			return fmt.Errorf("%w: an answer of %d bytes, not the one of %d bytes", errProtocol, len(m.Data), size)
		}
		if !each(took) {
			return nil
		}
	}
}
