package chunker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// A file goes from one end of a channel to the other.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "chunker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	source, target := filepath.Join(dir, "video.mp4"), filepath.Join(dir, "copy.mp4")
	if err := os.WriteFile(source, bytes.Repeat([]byte("frame"), 20_000), 0o600); err != nil {
		log.Fatal(err)
	}
	a, b, err := memchan.Pair(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	go func() {
		u, err := chunker.OpenUploader(a, source, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer u.Close()
		if err := u.Upload(ctx); err != nil {
			log.Fatal(err)
		}
	}()

	out, err := os.Create(target)
	if err != nil {
		log.Fatal(err)
	}
	size, err := chunker.ReceiveFile(ctx, b, out, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("received", size, "bytes")
	// Output:
	// received 100000 bytes
}

func ExampleNewUploader() {
	ctx := context.Background()
	a, b := memchan.New(nil)
	defer a.Close()
	defer b.Close()

	src := strings.NewReader(strings.Repeat("x", 120_000))
	u, err := chunker.NewUploader(a, src, src.Size(), &chunker.UploaderOptions{
		Progress: func(p chunker.Progress) {
			fmt.Printf("chunk %d of %d, %d of %d bytes\n", p.SentChunks, p.TotalChunks, p.SentBytes, p.TotalBytes)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := u.Upload(ctx); err != nil {
			log.Fatal(err)
		}
		a.Close()
	}()

	for messages := 0; ; messages++ {
		if _, err := b.Receive(ctx); err != nil {
			fmt.Println(messages, "messages, then", err)
			return
		}
	}
	// Output:
	// chunk 1 of 3, 49152 of 120000 bytes
	// chunk 2 of 3, 98304 of 120000 bytes
	// chunk 3 of 3, 120000 of 120000 bytes
	// 3 messages, then EOF
}

// A FileAssembler takes chunks in any order, from one channel or several.
func ExampleFileAssembler() {
	f, err := os.CreateTemp("", "chunker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()

	a, err := chunker.NewFileAssembler(f, &chunker.FileAssemblerOptions{MaxSize: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	add := func(index uint32, payload string) {
		msg := chunker.AppendUpload(nil, chunker.UploadHeader{Index: index, Total: 4}, []byte(payload))
		complete, err := a.Add(msg)
		fmt.Println(complete, err)
	}
	add(3, "ry")
	add(0, "chu")
	add(0, "chu")
	for first, end := range a.Missing() {
		fmt.Printf("missing: %d up to %d\n", first, end)
	}
	add(2, "fer")
	add(1, "nk-")
	content, err := os.ReadFile(f.Name())
	fmt.Printf("%s %v\n", content, err)
	// Output:
	// false <nil>
	// false <nil>
	// false chunker: chunk 0 of 4: duplicate chunk
	// missing: 1 up to 3
	// false <nil>
	// true <nil>
	// chunk-ferry <nil>
}

// Frames of a stream, each larger than a message, on one channel.
func ExampleReassembler() {
	ctx := context.Background()
	a, b := memchan.New(nil)
	defer a.Close()
	defer b.Close()

	go func() {
		s, err := chunker.NewFrameSender(a, &chunker.FrameOptions{ChunkSize: 1000})
		if err != nil {
			log.Fatal(err)
		}
		for id := range uint32(3) {
			if err := s.Send(ctx, id, make([]byte, 2500+id)); err != nil {
				log.Fatal(err)
			}
		}
		a.Close()
	}()

	r := chunker.NewReassembler(nil)
	for {
		m, err := b.Receive(ctx)
		if err != nil {
			break
		}
		frame, complete, err := r.Add(m.Data)
		if err != nil {
			fmt.Println(err) // one bad message; the stream goes on
		}
		if complete {
			fmt.Printf("frame %d: %d bytes\n", frame.ID, len(frame.Payload))
		}
	}
	s := r.Stats()
	fmt.Println(s.Chunks, "chunks,", s.Rejected(), "rejected,", s.Dropped(), "frames dropped")
	// Output:
	// frame 0: 2500 bytes
	// frame 1: 2501 bytes
	// frame 2: 2502 bytes
	// 9 chunks, 0 rejected, 0 frames dropped
}

func ExampleSendFrame() {
	a, b := memchan.New(nil)
	defer a.Close()
	defer b.Close()

	if err := chunker.SendFrame(context.Background(), a, 7, []byte(`{"test": true}`), nil); err != nil {
		log.Fatal(err)
	}
	m, err := b.Receive(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	h, payload, err := chunker.ParseFrame(m.Data)
	fmt.Printf("%+v %s %v\n", h, payload, err)
	// Output:
	// {Frame:7 Index:0 Total:1} {"test": true} <nil>
}

func ExampleAppendUpload() {
	msg := chunker.AppendUpload(nil, chunker.UploadHeader{Index: 2, Total: 3}, []byte("g"))
	fmt.Printf("%x\n", msg)
	h, payload, err := chunker.ParseUpload(msg)
	fmt.Printf("%+v %s %v\n", h, payload, err)
	// Output:
	// 020000000300000067
	// {Index:2 Total:3} g <nil>
}

// An upload says where it stopped and why.
func ExampleChunkError() {
	a, b := memchan.New(nil)
	defer b.Close()
	u, err := chunker.NewUploader(a, strings.NewReader(strings.Repeat("x", 5000)), 5000, &chunker.UploaderOptions{
		ChunkSize: 1000,
		Progress: func(p chunker.Progress) {
			if p.SentChunks == 2 {
				a.Close()
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go b.Receive(context.Background())
	err = u.Upload(context.Background())
	if at, ok := errors.AsType[*chunker.ChunkError](err); ok {
		fmt.Println("stopped at chunk", at.Index, "of", at.Total)
	}
	fmt.Println("closed:", errors.Is(err, transport.ErrClosed))
	// Output:
	// stopped at chunk 2 of 5
	// closed: true
}
