package dcchan_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

// python finds an interpreter that has aiortc (Debian: python3-aiortc).
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import aiortc").Run() == nil {
			return name
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("python3-aiortc is missing")
	}
	t.Skip("python3-aiortc is missing")
	return ""
}

// foreign runs the foreign peer. lines waits for its end and returns its results.
func foreign(t *testing.T, l *dcchan.Listener, mode string, args ...string) (lines func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	url := strings.TrimPrefix(l.URL(), "webrtc+")
	cmd := exec.CommandContext(ctx, python(t), append([]string{"testdata/aiortc_peer.py", mode, url}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (lines []string) {
		t.Helper()
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines = append(lines, s.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("aiortc: %v\n%s", err, &stderr)
		}
		return lines
	}
}

func line(what string, key any, payload []byte) string {
	return fmt.Sprintf("%s %v %x", what, key, sha256.Sum256(payload))
}

func listen(t *testing.T, o *dcchan.Options) *dcchan.Listener {
	t.Helper()
	l, err := dcchan.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the listener: %v", err)
		}
	})
	return l
}

// buffer is an io.WriterAt in memory.
type buffer []byte

func (b *buffer) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(*b) {
		*b = append(*b, make([]byte, need-len(*b))...)
	}
	return copy((*b)[off:], p), nil
}

// Files of all the sizes at which chunks begin and end, from aiortc to our
// receiver and from our uploader back, on channels that either side opens.
func TestFilesWithAiortc(t *testing.T) {
	sizes := []string{"0", "1", "49151", "49152", "49153", "98304", "16777216"}
	l := listen(t, nil)
	lines := foreign(t, l, "files", sizes...)
	var want []string
	for range sizes {
		in, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p := in.Properties(); p.Label != "video_upload" || p.MaxMessageSize != 65536 {
			t.Errorf("a channel with %+v", p)
		}
		var file buffer
		if _, err := chunker.ReceiveFile(t.Context(), in, &file, nil); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		want = append(want, line("sent", len(file), file))

		out, err := in.Conn().Open(t.Context(), "video_upload")
		if err != nil {
			t.Fatal(err)
		}
		u, err := chunker.NewUploader(out, bytes.NewReader(file), int64(len(file)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(u.Upload(t.Context()), out.Close()); err != nil {
			t.Fatal(err)
		}
		want = append(want, line("got", len(file), file))
	}
	compare(t, lines(), want)
}

// Frames of 400 KB both ways, then a text and an empty message.
func TestFramesWithAiortc(t *testing.T) {
	const count = 10
	l := listen(t, nil)
	lines := foreign(t, l, "frames", fmt.Sprint(count))
	c, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sent, got []string
	r := chunker.NewReassembler(nil)
	for {
		m, err := c.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.Text {
			if string(m.Data) != `{"ack": 5}` {
				t.Errorf("text %q", m.Data)
			}
			continue
		}
		if len(m.Data) == 0 {
			break
		}
		frame, complete, err := r.Add(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if !complete {
			continue
		}
		sent = append(sent, line("sent", frame.ID, frame.Payload))
		got = append(got, line("got", frame.ID, frame.Payload))
		if err := chunker.SendFrame(t.Context(), c, frame.ID, frame.Payload, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.SendText("naïve"), c.Send(nil)); err != nil {
		t.Fatal(err)
	}
	got = append(got, line("got", "text", []byte("naïve")), line("got", "empty", nil))
	ours, theirs := split(lines())
	compare(t, ours, got)
	compare(t, theirs, sent)
	// aiortc closes its connection, not the channel.
	if _, err := c.Receive(t.Context()); errors.Is(err, io.EOF) || !errors.Is(err, transport.ErrAborted) {
		t.Errorf("the end is %v", err)
	}
}

func split(lines []string) (got, sent []string) {
	for _, s := range lines {
		if strings.HasPrefix(s, "got ") {
			got = append(got, s)
		} else {
			sent = append(sent, s)
		}
	}
	return got, sent
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("aiortc says\n%s\nwant\n%s", g, w)
	}
}
