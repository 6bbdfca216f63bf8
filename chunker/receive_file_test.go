package chunker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// receiving runs ReceiveFile on one end of a pair; send plays the peer.
func receiving(t *testing.T, opts *chunker.FileAssemblerOptions, send func(peer transport.Channel)) (content []byte, size int64, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := memchan.New(nil)
		defer a.Close()
		defer b.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			send(a)
		}()
		var f memFile
		size, err = chunker.ReceiveFile(ctx, b, &f, opts)
		content = f.data
		cancel()
		transport.Abort(b)
		<-done
	})
	return content, size, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// TestReceiveFileKeepAlives mixes keep-alives into an upload: each comes back
// as it was, and the file is whole.
func TestReceiveFileKeepAlives(t *testing.T) {
	content, size, err := receiving(t, nil, func(peer transport.Channel) {
		ping := func(data string, text bool) {
			if text {
				must(t, peer.SendText(data))
			} else {
				must(t, peer.Send([]byte(data)))
			}
			m, err := peer.Receive(context.Background())
			if err != nil || string(m.Data) != data || m.Text != text {
				t.Errorf("echo of %q is %q, text %v, %v", data, m.Data, m.Text, err)
			}
		}
		ping("\x00", false)
		must(t, peer.Send(part(1, 2, "d")))
		ping("", false)
		must(t, peer.Send(part(1, 2, "d"))) // a duplicate is ignored
		ping("x", true)
		must(t, peer.Send(part(0, 2, "abc")))
	})
	if err != nil || size != 4 || string(content) != "abcd" {
		t.Errorf("%q, %d, %v", content, size, err)
	}
}

func TestReceiveFileErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		send func(peer transport.Channel)
		size int64
		want []error
	}{
		{"nothing", func(p transport.Channel) { p.Close() }, 0, []error{chunker.ErrIncomplete, io.EOF, io.ErrUnexpectedEOF}},
		{"closed early", func(p transport.Channel) {
			must(t, p.Send(part(0, 2, "abc")))
			p.Close()
		}, 3, []error{chunker.ErrIncomplete, io.EOF}},
		{"aborted", func(p transport.Channel) {
			must(t, p.Send(part(0, 2, "abc")))
			synctest.Wait()
			transport.Abort(p)
		}, 3, []error{chunker.ErrIncomplete, transport.ErrAborted}},
		{"silence", func(p transport.Channel) {
			must(t, p.Send(part(0, 2, "abc")))
		}, 3, []error{context.DeadlineExceeded}},
		{"text", func(p transport.Channel) { must(t, p.SendText(`{"ack": 5}`)) }, 0, []error{chunker.ErrText}},
		{"short", func(p transport.Channel) { must(t, p.Send([]byte("1234567"))) }, 0, []error{chunker.ErrTooShort}},
		{"conflict", func(p transport.Channel) {
			must(t, p.Send(part(0, 2, "abc")))
			must(t, p.Send(part(0, 2, "xyz")))
		}, 3, []error{chunker.ErrConflict}},
		{"total", func(p transport.Channel) {
			must(t, p.Send(part(0, 2, "abc")))
			must(t, p.Send(part(0, 1, "abc")))
		}, 3, []error{chunker.ErrTotalMismatch}},
		{"too large", func(p transport.Channel) { must(t, p.Send(part(0, 3, "abcdef"))) }, 0, []error{chunker.ErrLimit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, size, err := receiving(t, &chunker.FileAssemblerOptions{MaxSize: 10}, tt.send)
			if size != tt.size {
				t.Errorf("size %d, want %d", size, tt.size)
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
		})
	}
	if _, err := chunker.ReceiveFile(t.Context(), nil, sink{}, &chunker.FileAssemblerOptions{MaxSize: -1}); !errors.Is(err, chunker.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}

// TestReceiveFileUploaded joins both ends over a link that reorders.
func TestReceiveFileUploaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := pattern(5_000_000)
		a, b := memchan.New(&memchan.Options{Unordered: true, Latency: 20 * time.Millisecond, Rate: 10 << 20})
		defer a.Close()
		defer b.Close()
		sent := make(chan error, 1)
		go func() { sent <- newUploader(t, a, want, nil).Upload(t.Context()) }()
		var f memFile
		size, err := chunker.ReceiveFile(t.Context(), b, &f, nil)
		if err != nil || size != int64(len(want)) || !bytes.Equal(f.data, want) {
			t.Errorf("%d bytes, %v", size, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}
