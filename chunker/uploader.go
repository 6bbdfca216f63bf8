package chunker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/transport"
)

// Progress counts what the channel has accepted. Accepted is not delivered:
// only an answer from the receiving application can say that.
type Progress struct {
	SentChunks, TotalChunks uint32
	SentBytes, TotalBytes   int64 // of the file, without headers
}

// UploaderOptions tune an [Uploader]. A nil pointer and zero fields mean the
// defaults.
type UploaderOptions struct {
	// ChunkSize is the payload of every chunk but the last, in bytes. With
	// the header it must fit the channel's MaxMessageSize.
	// Default DefaultChunkSize.
	ChunkSize int

	// HighWater and LowWater, in bytes, bound the channel's buffered amount:
	// before a message would raise it above HighWater, sending pauses until
	// it has fallen to LowWater. HighWater is clipped to the channel's
	// MaxBuffered. Defaults 4 MiB on channels that count bytes until they are
	// acknowledged or do not say, 256 KiB on others, and at least two chunks;
	// and seven eighths of HighWater there, a quarter of it on others.
	HighWater, LowWater int

	// Progress is called after each chunk, by the goroutine that runs Upload,
	// which waits for it. Default: not called.
	Progress func(Progress)
}

// Uploader sends one file as chunks with the 8-byte header. Its memory is one
// chunk. The counters may be read by any goroutine at any time.
type Uploader struct {
	pace     pacer
	src      io.Reader
	file     *os.File    // what OpenUploader opened, else nil
	info     os.FileInfo // of file, when it was opened
	size     int64
	total    uint32
	progress func(Progress)

	started atomic.Bool
	sent    atomic.Uint32
}

// NewUploader returns an Uploader of the size bytes that src holds. src must
// end there: it is read to its end, so that a source that has grown is
// noticed. Wrap a longer one in [io.LimitReader].
//
// Errors: [ErrInvalid], [ErrUnreliable], one matching [transport.ErrTooLarge]
// when the chunk size does not fit the channel, [ErrLimit] when the size needs
// more than 2^32-1 chunks.
func NewUploader(ch transport.MessageChannel, src io.Reader, size int64, opts *UploaderOptions) (*Uploader, error) {
	var o UploaderOptions
	if opts != nil {
		o = *opts
	}
	if size < 0 {
		return nil, fmt.Errorf("%w: negative size", ErrInvalid)
	}
	if p, declared := transport.PropertiesOf(ch); declared && !p.Reliable {
		return nil, ErrUnreliable
	}
	pace, err := newPacer(ch, UploadHeaderSize, o.ChunkSize, o.HighWater, o.LowWater)
	if err != nil {
		return nil, err
	}
	total, err := chunksOf(size, pace.chunk)
	if err != nil {
		return nil, err
	}
	return &Uploader{pace: pace, src: src, size: size, total: total, progress: o.Progress}, nil
}

// OpenUploader returns an Uploader of the regular file at path. It notices
// when the file is written to during the upload. Close it after use.
//
// Errors: those of [os.Open] and [NewUploader]; [ErrInvalid] when path is not
// a regular file.
func OpenUploader(ch transport.MessageChannel, path string, opts *UploaderOptions) (*Uploader, error) {
	info, err := os.Stat(path) // before opening, which waits for a pipe's writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrInvalid, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	u, err := newFileUploader(ch, f, opts)
	if err != nil {
		f.Close()
		return nil, err
	}
	return u, nil
}

func newFileUploader(ch transport.MessageChannel, f *os.File, opts *UploaderOptions) (*Uploader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	u, err := NewUploader(ch, f, info.Size(), opts)
	if err != nil {
		return nil, err
	}
	u.file, u.info = f, info
	return u, nil
}

// Close closes the file that [OpenUploader] opened; a source given to
// [NewUploader] is the caller's to close. The channel stays open.
func (u *Uploader) Close() error {
	if u.file == nil {
		return nil
	}
	return u.file.Close()
}

// Size returns the bytes to upload.
func (u *Uploader) Size() int64 { return u.size }

// HighWater returns the high-water mark in force, in bytes: the one chosen, or
// the default that suits the channel, clipped to what the channel can buffer.
func (u *Uploader) HighWater() int { return u.pace.high }

// TotalChunks returns the chunks to upload, at least 1.
func (u *Uploader) TotalChunks() uint32 { return u.total }

// UploadedChunks returns the chunks that the channel has accepted so far.
func (u *Uploader) UploadedChunks() uint32 { return u.sent.Load() }

// Upload sends everything and waits until the channel has released it
// (BufferedAmount 0). That is not delivery, which only the receiving
// application can confirm; one that closes the channel as soon as it has the
// file may turn the wait into [transport.ErrClosed]. It reads the source while the channel sends, and
// a read that blocks is not interrupted by ctx.
//
// An Uploader sends once: further calls, also concurrent ones, return
// [ErrUsed] and change nothing.
//
// Every other error is a [ChunkError] that names the chunk in hand, the last
// one while waiting for the release. It wraps [ErrSourceChanged], the error of
// the source, ctx.Err(), [transport.ErrNotOpen], or one matching
// [transport.ErrClosed].
func (u *Uploader) Upload(ctx context.Context) error {
	if u.started.Swap(true) {
		return ErrUsed
	}
	buf := make([]byte, UploadHeaderSize+u.pace.chunk+1) // one more to see a source that has grown
	h := UploadHeader{Total: u.total}
	for left := u.size; h.Index < u.total; h.Index++ {
		n := int(min(int64(u.pace.chunk), left))
		payload := buf[UploadHeaderSize : UploadHeaderSize+n]
		if err := u.read(payload, h.Index == u.total-1); err != nil {
			return h.fail(err)
		}
		AppendUpload(buf[:0], h, nil)
		if err := u.pace.send(ctx, buf[:UploadHeaderSize+n]); err != nil {
			return h.fail(err)
		}
		left -= int64(n)
		u.sent.Store(h.Index + 1)
		if u.progress != nil {
			u.progress(Progress{h.Index + 1, u.total, u.size - left, u.size})
		}
	}
	if err := u.pace.flush(ctx); err != nil {
		h.Index--
		return h.fail(err)
	}
	return nil
}

// read fills payload, whose backing array has a byte to spare. After the last
// chunk the source must be at its end.
func (u *Uploader) read(payload []byte, last bool) error {
	if !last {
		_, err := io.ReadFull(u.src, payload)
		return shrunk(err)
	}
	n, err := io.ReadFull(u.src, payload[:len(payload)+1])
	switch {
	case err == nil:
		return fmt.Errorf("%w: more than %d bytes", ErrSourceChanged, u.size)
	case n < len(payload):
		return shrunk(err)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return u.unmodified()
}

// unmodified asks the file system whether the file is still the one that was
// opened.
func (u *Uploader) unmodified() error {
	if u.file == nil {
		return nil
	}
	now, err := u.file.Stat()
	if err != nil {
		return err
	}
	if now.Size() != u.size || !now.ModTime().Equal(u.info.ModTime()) {
		return fmt.Errorf("%w: %s was modified", ErrSourceChanged, u.file.Name())
	}
	return nil
}

// shrunk turns an early end of the source into ErrSourceChanged.
func shrunk(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ended early", ErrSourceChanged)
	}
	return err
}

// chunksOf returns how many chunks carry size bytes: one, empty, for none.
func chunksOf(size int64, chunk int) (uint32, error) {
	if size == 0 {
		return 1, nil
	}
	n := (size-1)/int64(chunk) + 1
	if n > math.MaxUint32 {
		return 0, fmt.Errorf("%w: %d chunks, at most 2^32-1; use larger chunks", ErrLimit, n)
	}
	return uint32(n), nil
}
