package pipeline_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

var update = flag.Bool("update", false, "write the transcript in docs/wire-format.md anew")

// TestTranscript compares the transcript in the documentation with what peers
// really say.
func TestTranscript(t *testing.T) {
	file := filepath.Join("..", "docs", "wire-format.md")
	const begin, end = "<!-- transcript: go test ./pipeline -run Transcript -update -->\n```text\n", "```\n<!-- end of transcript -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the transcript", file)
	}
	var got string
	cryptotest.SetGlobalRandom(t, 7)
	synctest.Test(t, func(t *testing.T) { got = transcript(t) })
	if got == old {
		return
	}
	if !*update {
		t.Fatalf("the transcript in %s is\n%s\nbut peers say\n%s\nIf that is meant: go test ./pipeline -run Transcript -update", file, old, got)
	}
	if err := os.WriteFile(file, []byte(head+begin+got+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// record is what was said, with the time.
type record struct {
	mu    sync.Mutex
	began time.Time
	lines []said
}

type said struct {
	at      time.Duration
	channel int
	from    string
	what    string
}

func (r *record) add(channel int, from, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, said{time.Since(r.began), channel, from, what})
}

// wiretap records what the sender's end of a channel sends and receives.
type wiretap struct {
	*memchan.Channel
	n   int
	rec *record
}

func (w *wiretap) Send(msg []byte) error {
	err := w.Channel.Send(msg)
	if h, payload, e := chunker.ParseFrame(msg); e == nil && err == nil {
		w.rec.add(w.n, "S", fmt.Sprintf("chunk: frame %d, index %d of %d, %d bytes", h.Frame, h.Index, h.Total, len(payload)))
	}
	return err
}

func (w *wiretap) SendText(text string) error {
	err := w.Channel.SendText(text)
	if err == nil {
		w.rec.add(w.n, "S", text)
	}
	return err
}

func (w *wiretap) Receive(ctx context.Context) (transport.Message, error) {
	m, err := w.Channel.Receive(ctx)
	if err == nil {
		w.rec.add(w.n, "R", string(m.Data))
	}
	return m, err
}

// transcript sends a file of three blocks over two channels, the first of
// which dies.
func transcript(t *testing.T) string {
	d := newDock(t, &pipeline.ServerOptions{Token: "secret"})
	rec := &record{began: time.Now()}
	link := &memchan.Options{Latency: 5 * time.Millisecond, Rate: 1 << 20}
	channels := 0
	route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) {
		ch := d.dial(link)
		channels++
		rec.add(channels, "", "channel opened")
		if channels == 1 {
			n := channels
			time.AfterFunc(160*time.Millisecond, func() {
				rec.add(n, "", "channel dies")
				_ = ch.Abort()
			})
		}
		return &wiretap{ch, channels, rec}, nil
	}}
	_, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("video.mp4", noise(150_000)), &pipeline.SendOptions{
		BlockSize: 64 * kib, ChunkSize: 48 * kib, Token: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(rec.lines, func(a, b said) int { // what is simultaneous has no order between the sides
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.channel, b.channel), cmp.Compare(a.from, b.from))
	})
	var out strings.Builder
	for _, l := range rec.lines {
		fmt.Fprintf(&out, "%3d ms  %d %-2s %s\n", l.at.Milliseconds(), l.channel, l.from, l.what)
	}
	return out.String()
}
