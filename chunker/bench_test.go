package chunker_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

func BenchmarkAppendFrame(b *testing.B) {
	payload, buf := pattern(chunker.DefaultChunkSize), []byte(nil)
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				f()
			}
		})
	}
	run("chunk=48KiB", func() {
		buf = chunker.AppendFrame(buf[:0], chunker.FrameHeader{Frame: 1, Index: 2, Total: 3}, payload)
	})
	run("chunk=48KiB/raw=copy", func() { copy(buf[chunker.FrameHeaderSize:], payload) })
}

func BenchmarkParseFrame(b *testing.B) {
	msg := chunker.AppendFrame(nil, chunker.FrameHeader{Frame: 1, Index: 2, Total: 3}, pattern(chunker.DefaultChunkSize))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := chunker.ParseFrame(msg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReassembler carries frames of 400 KB: header and chunk written into
// a message, then reassembled. raw=copy moves the same bytes the same twice.
func BenchmarkReassembler(b *testing.B) {
	frame := pattern(400_000)
	msg := make([]byte, 0, chunker.FrameHeaderSize+chunker.DefaultChunkSize)

	b.Run("frame=400KB/chunk=48KiB/path=message", func(b *testing.B) {
		r := chunker.NewReassembler(nil)
		b.ReportAllocs()
		b.SetBytes(int64(len(frame)))
		var id uint32
		for b.Loop() {
			addFrame(b, r, id, frame, msg)
			id++
		}
	})
	b.Run("frame=400KB/chunk=48KiB/path=message/raw=copy", func(b *testing.B) {
		dst := make([]byte, len(frame))
		b.ReportAllocs()
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			for at := 0; at < len(frame); at += chunker.DefaultChunkSize {
				n := copy(msg[:cap(msg)], frame[at:min(at+chunker.DefaultChunkSize, len(frame))])
				copy(dst[at:], msg[:n])
			}
		}
	})

	// The receiving half alone, as from a carrier's buffers.
	msgs := frameMessages(7, frame, chunker.DefaultChunkSize)
	b.Run("frame=400KB/chunk=48KiB/path=receive", func(b *testing.B) {
		r := chunker.NewReassembler(nil)
		b.ReportAllocs()
		b.SetBytes(int64(len(frame)))
		var id uint32
		for b.Loop() {
			for _, m := range msgs {
				m[0], m[1], m[2] = byte(id), byte(id>>8), byte(id>>16)
				if _, _, err := r.Add(m); err != nil {
					b.Fatal(err)
				}
			}
			id++
		}
	})
	b.Run("frame=400KB/chunk=48KiB/path=receive/raw=copy", func(b *testing.B) {
		dst := make([]byte, len(frame))
		b.ReportAllocs()
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			at := 0
			for _, m := range msgs {
				at += copy(dst[at:], m[chunker.FrameHeaderSize:])
			}
		}
	})
}

func addFrame(tb testing.TB, r *chunker.Reassembler, id uint32, frame, msg []byte) {
	total := uint32((len(frame)-1)/chunker.DefaultChunkSize + 1)
	complete := false
	for i := range total {
		at := int(i) * chunker.DefaultChunkSize
		payload := frame[at:min(at+chunker.DefaultChunkSize, len(frame))]
		msg = chunker.AppendFrame(msg[:0], chunker.FrameHeader{Frame: id, Index: i, Total: total}, payload)
		var err error
		if _, complete, err = r.Add(msg); err != nil {
			tb.Fatal(err)
		}
	}
	if !complete {
		tb.Fatal("frame not complete")
	}
}

// frameMessages returns the messages of one frame.
func frameMessages(id uint32, payload []byte, chunk int) [][]byte {
	var msgs [][]byte
	total := uint32(max(1, (len(payload)+chunk-1)/chunk))
	for i := range total {
		n := min(chunk, len(payload))
		msgs = append(msgs, chunker.AppendFrame(nil, chunker.FrameHeader{Frame: id, Index: i, Total: total}, payload[:n]))
		payload = payload[n:]
	}
	return msgs
}

// sink takes everything and keeps nothing.
type sink struct{}

func (sink) ReadyState() transport.State            { return transport.StateOpen }
func (sink) BufferedAmount() int                    { return 0 }
func (sink) Send([]byte) error                      { return nil }
func (sink) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func BenchmarkUploader(b *testing.B) {
	content := pattern(16 << 20)
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		u, err := chunker.NewUploader(sink{}, bytes.NewReader(content), int64(len(content)), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := u.Upload(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFileAssembler shows what the checksums cost: the sink does nothing.
func BenchmarkFileAssembler(b *testing.B) {
	const chunks = 341 // 16 MiB
	msg := chunker.AppendUpload(nil, chunker.UploadHeader{Total: chunks}, pattern(chunker.DefaultChunkSize))
	b.ReportAllocs()
	b.SetBytes(chunks * chunker.DefaultChunkSize)
	for b.Loop() {
		a, err := chunker.NewFileAssembler(io.WriterAt(sink{}), nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := range uint32(chunks) {
			chunker.AppendUpload(msg[:0], chunker.UploadHeader{Index: i, Total: chunks}, nil)
			if _, err := a.Add(msg); err != nil {
				b.Fatal(err)
			}
		}
	}
}
