package chunker_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// TestUploadReaders reads sources that return little, late, or the end early
// with the last bytes.
func TestUploadReaders(t *testing.T) {
	content := pattern(2500)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte":     iotest.OneByteReader,
		"half":         iotest.HalfReader,
		"data and EOF": iotest.DataErrReader,
		"limited": func(r io.Reader) io.Reader {
			return io.LimitReader(io.MultiReader(r, r, strings.NewReader("more")), 2500)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ch recorder
			u, err := chunker.NewUploader(&ch, wrap(bytes.NewReader(content)), 2500, &chunker.UploaderOptions{ChunkSize: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Upload(t.Context()); err != nil {
				t.Fatal(err)
			}
			var f memFile
			assembleAll(t, &f, ch.msgs)
			if !bytes.Equal(f.data, content) {
				t.Error("content differs")
			}
		})
	}
}

func TestUploadSourceChanged(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, tt := range []struct {
		name  string
		src   io.Reader
		size  int64
		chunk uint32
		want  error
	}{
		{"shrunk in the first chunk", bytes.NewReader(pattern(5)), 30, 0, chunker.ErrSourceChanged},
		{"shrunk between chunks", bytes.NewReader(pattern(20)), 30, 2, chunker.ErrSourceChanged},
		{"shrunk by one byte", bytes.NewReader(pattern(29)), 30, 2, chunker.ErrSourceChanged},
		{"shrunk to nothing", bytes.NewReader(nil), 1, 0, chunker.ErrSourceChanged},
		{"grown by one byte", bytes.NewReader(pattern(31)), 30, 2, chunker.ErrSourceChanged},
		{"grown by a chunk", bytes.NewReader(pattern(40)), 30, 2, chunker.ErrSourceChanged},
		{"grown from nothing", bytes.NewReader(pattern(1)), 0, 0, chunker.ErrSourceChanged},
		{"read error", io.MultiReader(bytes.NewReader(pattern(15)), iotest.ErrReader(broken)), 30, 1, broken},
		{"read error at the end", io.MultiReader(bytes.NewReader(pattern(30)), iotest.ErrReader(broken)), 30, 2, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ch recorder
			u, err := chunker.NewUploader(&ch, tt.src, tt.size, &chunker.UploaderOptions{ChunkSize: 10})
			if err != nil {
				t.Fatal(err)
			}
			wantChunkError(t, u.Upload(t.Context()), tt.chunk, tt.want)
			if len(ch.msgs) != int(tt.chunk) || u.UploadedChunks() != tt.chunk {
				t.Errorf("%d messages sent, %d counted, want the %d before the error", len(ch.msgs), u.UploadedChunks(), tt.chunk)
			}
		})
	}
}

func TestOpenUploader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "video.mp4")
	content := pattern(2500)
	open := func(t *testing.T, ch transport.MessageChannel, opts *chunker.UploaderOptions) *chunker.Uploader {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := chunker.OpenUploader(ch, path, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { u.Close() })
		return u
	}
	t.Run("whole", func(t *testing.T) {
		var ch recorder
		u := open(t, &ch, nil)
		if err := u.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		var f memFile
		assembleAll(t, &f, ch.msgs)
		if !bytes.Equal(f.data, content) {
			t.Error("content differs")
		}
	})
	// The file is changed after the first of three chunks.
	for name, change := range map[string]func() error{
		"truncated": func() error { return os.Truncate(path, 1500) },
		"appended": func() error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("x")
			return err
		},
		"rewritten": func() error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			var ch recorder
			u := open(t, &ch, &chunker.UploaderOptions{ChunkSize: 1000, Progress: func(p chunker.Progress) {
				if p.SentChunks == 1 {
					if err := change(); err != nil {
						t.Error(err)
					}
				}
			}})
			err := u.Upload(t.Context())
			if !errors.Is(err, chunker.ErrSourceChanged) || len(ch.msgs) == 3 {
				t.Errorf("error %v after %d of 3 messages, want ErrSourceChanged before the last", err, len(ch.msgs))
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		if _, err := chunker.OpenUploader(sink{}, path+"x", nil); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v, want os.ErrNotExist", err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if _, err := chunker.OpenUploader(sink{}, filepath.Dir(path), nil); !errors.Is(err, chunker.ErrInvalid) {
			t.Errorf("error %v, want ErrInvalid", err)
		}
	})
}
