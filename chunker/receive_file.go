package chunker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/chunkferry/chunkferry/transport"
)

// ReceiveFile receives one upload on ch and writes it to w; it returns the
// size of the file. Keep-alives (see [IsKeepAlive]) are echoed unchanged,
// duplicates are ignored, and ch stays open.
//
// It ends with the first message that no correct sender sends: the errors of
// [FileAssembler.Add], or [ErrText]. When the channel ends first, the error
// matches [ErrIncomplete] and what Receive returned. ctx.Err() when ctx is
// done. In every case size is what has been received.
//
// Who wants to know more while it runs, or to forgive more, calls
// [FileAssembler.Add] in a loop of his own.
func ReceiveFile(ctx context.Context, ch transport.Channel, w io.WriterAt, opts *FileAssemblerOptions) (size int64, err error) {
	a, err := NewFileAssembler(w, opts)
	if err != nil {
		return 0, err
	}
	for !a.Complete() {
		m, err := ch.Receive(ctx)
		switch {
		case err != nil && errors.Is(err, ctx.Err()):
			return a.ReceivedBytes(), err
		case err != nil:
			return a.ReceivedBytes(), fmt.Errorf("%w: %d of %d chunks: %w",
				ErrIncomplete, a.ReceivedChunks(), a.TotalChunks(), err)
		case IsKeepAlive(m.Data):
			echo(ch, m)
		case m.Text:
			return a.ReceivedBytes(), ErrText
		default:
			if _, err := a.Add(m.Data); err != nil && !errors.Is(err, ErrDuplicate) {
				return a.ReceivedBytes(), err
			}
		}
	}
	return a.ReceivedBytes(), nil
}

// echo answers a keep-alive. One that cannot be sent now is not worth waiting
// for, and if the channel has ended, Receive says it better.
func echo(ch transport.Channel, m transport.Message) {
	if m.Text {
		_ = ch.SendText(string(m.Data))
		return
	}
	_ = ch.Send(m.Data)
}
