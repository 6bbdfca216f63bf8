package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// tree writes files below a new directory and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFiles(t *testing.T) {
	big := string(noise(200 * kib))
	dir := tree(t, map[string]string{
		"run/a": "alpha", "run/empty": "", "run/sub/big": big, "run/sub/z": "omega", "single": "one",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "run", "link")); err != nil {
		t.Fatal(err)
	}
	d := newDock(t, nil)
	r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)},
		pipeline.Files(filepath.Join(dir, "run"), filepath.Join(dir, "single")), &pipeline.SendOptions{BlockSize: 64 * kib})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"run/a": "alpha", "run/empty": "", "run/sub/big": big, "run/sub/z": "omega", "single": "one"}
	for name, content := range want {
		d.arrived(name, []byte(content))
	}
	if names := d.sink.Names(); len(names) != len(want) || r.Files != len(want) {
		t.Errorf("%d files: %q", r.Files, names)
	}
}

// TestManyFiles sends a manifest that takes several messages.
func TestManyFiles(t *testing.T) {
	files := make(map[string]string)
	for i := range 3000 {
		files[fmt.Sprintf("d/%d/file-with-a-rather-long-name-%d", i%7, i)] = fmt.Sprint("content ", i)
	}
	dir := tree(t, files)
	d := newDock(t, nil)
	if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Files(filepath.Join(dir, "d")), nil); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		d.arrived(name, []byte(content))
	}
}

func TestSourceRefused(t *testing.T) {
	dir := tree(t, map[string]string{"f": "x"})
	file := filepath.Join(dir, "f")
	for name, tt := range map[string]struct {
		src  pipeline.Source
		want error
	}{
		"nothing":        {pipeline.Files(), pipeline.ErrInvalid},
		"missing":        {pipeline.Files(filepath.Join(dir, "g")), os.ErrNotExist},
		"same name":      {pipeline.Files(file, file), pipeline.ErrName},
		"root":           {pipeline.Files("/"), pipeline.ErrInvalid},
		"bad name":       {pipeline.Stream("../x", strings.NewReader("")), pipeline.ErrName},
		"failing reader": {pipeline.Stream("x", io.MultiReader(strings.NewReader("abc"), failing{})), errFailing},
		"negative size":  {pipeline.Blob("x", strings.NewReader(""), -5, ""), pipeline.ErrInvalid},
		"shorter":        {pipeline.Blob("x", strings.NewReader("abc"), 5, ""), pipeline.ErrSourceChanged},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, nil)
			if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, tt.src, nil); !errors.Is(err, tt.want) {
				t.Errorf("Send returned %v, want %v", err, tt.want)
			}
		})
	}
}

var errFailing = errors.New("test: disk on fire")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFailing }

// TestSourceChanges changes the file in mid-transfer and between attempts.
func TestSourceChanges(t *testing.T) {
	change := map[string]func(t *testing.T, file string){
		"appended": func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("more")
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		},
		"truncated": func(t *testing.T, file string) {
			if err := os.Truncate(file, 300*kib); err != nil {
				t.Fatal(err)
			}
		},
		"overwritten": func(t *testing.T, file string) {
			if err := os.WriteFile(file, make([]byte, 512*kib), 0o644); err != nil {
				t.Fatal(err)
			}
			later := time.Now().Add(time.Minute)
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range change {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(tree(t, map[string]string{"f": string(noise(512 * kib))}), "f")
			d := newDock(t, nil)
			opts := &pipeline.SendOptions{BlockSize: 64 * kib, ChunkSize: 64 * kib, MaxBuffered: 256 * kib}
			var once sync.Once
			var messages atomic.Int64
			route := d.tapped("a", func(*memchan.Channel) {
				if messages.Add(1) == 12 {
					once.Do(func() { change(t, file) })
				}
			})
			_, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts)
			if !errors.Is(err, pipeline.ErrSourceChanged) {
				t.Fatalf("changed while being sent: Send returned %v", err)
			}
			_, err = pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts)
			var p *pipeline.PeerError
			if !errors.Is(err, pipeline.ErrSourceChanged) || !errors.As(err, &p) {
				t.Fatalf("offered again: Send returned %v", err)
			}
			opts.Restart = true
			if _, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts); err != nil {
				t.Fatalf("restarted: Send returned %v", err)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d.arrived("f", want)
		})
	}
}

// TestDamageInTransit flips a bit of chunks on their way.
func TestDamageInTransit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(2 << 20)
		var chunks int
		route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) {
			return &flipper{d.dial(nil), &chunks}, nil
		}}
		var resent []error
		opts := &pipeline.SendOptions{BlockSize: 64 * kib, ChunkSize: 32 * kib, Event: func(e pipeline.Event) {
			if e.Kind == pipeline.EventResent {
				resent = append(resent, e.Err)
			}
		}}
		r, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", data), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		bad := d.srv.Counters().BadBlocks
		if want := int64(len(data)) + int64(bad)*64*kib; bad == 0 || len(resent) == 0 || r.Sent != want {
			t.Errorf("%d bad blocks, reported %v, sent %d bytes, want %d", bad, resent, r.Sent, want)
		}
	})
}

// flipper damages every tenth chunk.
type flipper struct {
	*memchan.Channel
	chunks *int
}

func (f *flipper) Send(msg []byte) error {
	if *f.chunks++; *f.chunks%10 == 0 {
		msg = bytes.Clone(msg)
		msg[len(msg)/2] ^= 0x10
	}
	return f.Channel.Send(msg)
}

// TestKeptBlockDiffers lets the sink keep a block of which the source has
// other bytes now, unnoticed by time or size.
func TestKeptBlockDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		old, data := noise(smallFile), noise(smallFile)
		old[2*smallBlock+7] ^= 1
		opts := &pipeline.SendOptions{BlockSize: smallBlock, ChunkSize: 8 * kib, MaxBuffered: 4 * smallBlock}
		ctx, cancel := context.WithCancel(t.Context())
		opts.Progress = func(p pipeline.Progress) {
			if p.Acknowledged >= 4*smallBlock {
				cancel()
			}
		}
		slow := d.route("a", &memchan.Options{Rate: 1 << 20})
		if _, err := pipeline.Send(ctx, []pipeline.Route{slow}, blob("f", old), opts); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		opts.Progress = nil
		r, err := pipeline.Send(t.Context(), []pipeline.Route{slow}, blob("f", data), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		if r.Sent >= smallFile {
			t.Errorf("sent %d bytes of %d again", r.Sent, smallFile)
		}
	})
}

// TestStreamEndless sends a stream much larger than the buffers, over links
// that die.
func TestStreamEndless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(8<<20 + 3)
		var count atomic.Int64
		route := d.tapped("a", func(ch *memchan.Channel) {
			if count.Add(1)%300 == 0 {
				_ = ch.Abort()
			}
		})
		opts := &pipeline.SendOptions{BlockSize: 64 * kib, ChunkSize: 16 * kib, MaxBuffered: 512 * kib}
		r, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Stream("in", bytes.NewBuffer(bytes.Clone(data))), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("in", data)
		if r.Sent == r.Size {
			t.Error("no link died")
		}
	})
}

// TestStreamLost makes the receiver forget what it acknowledged of a stream.
func TestStreamLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(noise(1 << 20))
			time.Sleep(5 * time.Second)
			d.kill()
			d.mu.Lock()
			d.srv = pipeline.NewServer(&pipeline.MemorySink{}, nil)
			d.mu.Unlock()
			_, err := pw.Write(noise(1 << 20))
			_ = pw.CloseWithError(err)
		}()
		_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Stream("in", pr), &pipeline.SendOptions{BlockSize: 64 * kib})
		if !errors.Is(err, pipeline.ErrLost) {
			t.Errorf("Send returned %v", err)
		}
		_ = pr.Close()
	})
}

func TestCancel(t *testing.T) {
	link := &memchan.Options{Rate: 1 << 20, Latency: 5 * time.Millisecond}
	data := noise(4 << 20)
	t.Run("by the sender", func(t *testing.T) {
		for _, discard := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var notices notebook
				d := newDock(t, &pipeline.ServerOptions{Notify: notices.add})
				ctx, cancel := context.WithCancelCause(t.Context())
				cause := errors.New("battery low")
				if discard {
					cause = fmt.Errorf("%w: wrong file", pipeline.ErrDiscard)
				}
				time.AfterFunc(time.Second, func() { cancel(cause) })
				began := time.Now()
				_, err := pipeline.Send(ctx, []pipeline.Route{d.route("a", link)}, blob("f", data), nil)
				if !errors.Is(err, pipeline.ErrCanceled) || !errors.Is(err, cause) {
					t.Errorf("Send returned %v", err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("took %v", took)
				}
				synctest.Wait()
				n := notices.last()
				var c *pipeline.CancelError
				if n.Kind != pipeline.NoticeCanceled || !errors.As(n.Err, &c) || !c.ByPeer || c.Reason != cause.Error() {
					t.Errorf("notice %v: %v", n.Kind, n.Err)
				}
				r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data), nil)
				if err != nil {
					t.Fatal(err)
				}
				if again := r.Sent == r.Size; again != discard {
					t.Errorf("discard %v: then sent %d of %d bytes", discard, r.Sent, r.Size)
				}
			})
		}
	})
	t.Run("by the receiver", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			var canceled time.Time
			time.AfterFunc(time.Second, func() {
				canceled = time.Now()
				if list := d.srv.Transfers(); len(list) != 1 || !d.srv.Cancel(list[0].Transfer.ID, "not today", false) {
					t.Errorf("transfers %+v", list)
				}
			})
			_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), nil)
			var c *pipeline.CancelError
			if !errors.As(err, &c) || !c.ByPeer || c.Reason != "not today" {
				t.Errorf("Send returned %v", err)
			}
			if took := time.Since(canceled); took > 2*time.Second {
				t.Errorf("the sender learned of it after %v", took)
			}
		})
	})
}

// notebook keeps notices.
type notebook struct {
	mu   sync.Mutex
	list []pipeline.Notice
}

func (b *notebook) add(n pipeline.Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, n)
}

func (b *notebook) last() pipeline.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		return pipeline.Notice{}
	}
	return b.list[len(b.list)-1]
}

func (b *notebook) kinds() (k []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.list {
		k = append(k, string(n.Kind))
	}
	return k
}

// TestSinkFails makes the sink fail in every way, in mid-transfer, and then
// recover.
func TestSinkFails(t *testing.T) {
	for _, want := range []error{pipeline.ErrNoSpace, pipeline.ErrReadOnly, pipeline.ErrQuota, errFailing} {
		t.Run(want.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var notices notebook
				d := newDock(t, nil)
				sink := &brittle{after: 10, err: &pipeline.EntryError{Path: "f", Err: want}}
				d.srv = pipeline.NewServer(sink, &pipeline.ServerOptions{Notify: notices.add})
				data := noise(4 << 20)
				link := &memchan.Options{Rate: 1 << 20, Latency: 20 * time.Millisecond}
				opts := &pipeline.SendOptions{BlockSize: 64 * kib}
				_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), opts)
				told := want
				if want == errFailing {
					told = pipeline.ErrInternal
					if strings.Contains(err.Error(), "fire") {
						t.Errorf("the sender learned what is not its business: %v", err)
					}
				}
				var p *pipeline.PeerError
				if !errors.Is(err, told) || !errors.As(err, &p) || p.Path != "f" {
					t.Errorf("Send returned %v", err)
				}
				if took := time.Since(sink.failed); took > 2*time.Second {
					t.Errorf("the sender learned of it after %v", took)
				}
				if n := notices.last(); n.Kind != pipeline.NoticeFailed || !errors.Is(n.Err, want) {
					t.Errorf("notice %v: %v", n.Kind, n.Err)
				}
				sink.after = 1 << 30
				r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data), opts)
				if err != nil {
					t.Fatal(err)
				}
				if kept := r.Size - r.Sent; kept < 10*64*kib {
					t.Errorf("kept %d bytes", kept)
				}
			})
		})
	}
}

// brittle is a memory sink whose blocks fail after a number of them.
type brittle struct {
	pipeline.MemorySink
	after  int
	err    error
	mu     sync.Mutex
	failed time.Time
}

type brittleStore struct {
	pipeline.Store
	sink *brittle
}

func (s *brittle) Open(ctx context.Context, m *pipeline.Manifest, restart bool) (pipeline.Store, error) {
	st, err := s.MemorySink.Open(ctx, m, restart)
	return &brittleStore{st, s}, err
}

func (s *brittleStore) WriteBlock(n uint32, data []byte, h pipeline.Hash) error {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if s.sink.after--; s.sink.after < 0 {
		s.sink.failed = time.Now()
		return s.sink.err
	}
	return s.Store.WriteBlock(n, data, h)
}

func TestNameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		routes := []pipeline.Route{d.route("a", nil)}
		if _, err := pipeline.Send(t.Context(), routes, blob("f", noise(10)), nil); err != nil {
			t.Fatal(err)
		}
		other := pipeline.Blob("f", strings.NewReader("other"), 5, "elsewhere")
		_, err := pipeline.Send(t.Context(), routes, other, nil)
		var p *pipeline.PeerError
		if !errors.Is(err, pipeline.ErrExists) || !errors.Is(err, os.ErrExist) || !errors.As(err, &p) || p.Path != "f" {
			t.Errorf("Send returned %v", err)
		}
		if _, err := pipeline.Send(t.Context(), routes, blob("f", make([]byte, 10)), nil); !errors.Is(err, pipeline.ErrSourceChanged) {
			t.Errorf("the same name and size with other content: %v", err)
		}
		r, err := pipeline.Send(t.Context(), routes, blob("f", noise(10)), nil)
		if err != nil || r.Sent != 0 {
			t.Errorf("the same again: %+v, %v; want the old receipt", r, err)
		}
	})
}

// TestTakeover starts a second sender of the same source while the first runs.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(4 << 20)
		link := &memchan.Options{Rate: 1 << 20}
		first := make(chan error)
		go func() {
			_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), nil)
			first <- err
		}()
		time.Sleep(2 * time.Second)
		r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), nil)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		if err := <-first; !errors.Is(err, pipeline.ErrSuperseded) {
			t.Errorf("the first sender got %v", err)
		}
		if r.Sent >= r.Size {
			t.Errorf("sent everything again")
		}
	})
}

func TestRates(t *testing.T) {
	data := noise(2 << 20)
	const rate = 512 * kib
	for name, opts := range map[string]struct {
		send  pipeline.SendOptions
		serve pipeline.ServerOptions
	}{
		"sender":   {send: pipeline.SendOptions{Rate: rate}},
		"receiver": {serve: pipeline.ServerOptions{Rate: rate}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, &opts.serve)
				began := time.Now()
				opts.send.Streams = 3
				if name == "receiver" {
					opts.send.Streams = 1
				}
				if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data), &opts.send); err != nil {
					t.Fatal(err)
				}
				want := float64(len(data)) / rate
				if took := time.Since(began).Seconds(); took < 0.9*want || took > 1.1*want {
					t.Errorf("took %.2f s, want %.2f s", took, want)
				}
			})
		})
	}
}

// TestPeerRate shares one limit between the channels of a peer.
func TestPeerRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 512 * kib
		d := newDock(t, &pipeline.ServerOptions{Rate: rate})
		d.peer = "192.0.2.7"
		began := time.Now()
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", noise(4<<20)), &pipeline.SendOptions{Streams: 4}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began).Seconds(); took < 7 || took > 9 {
			t.Errorf("took %.2f s, want 8 s", took)
		}
	})
}

func TestShutdown(t *testing.T) {
	data := noise(4 << 20)
	link := &memchan.Options{Rate: 1 << 20}
	t.Run("finishes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			time.AfterFunc(time.Second, func() {
				if err := d.srv.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), nil); err != nil {
				t.Fatal(err)
			}
			_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("g", data), &pipeline.SendOptions{RetryFor: -1})
			if !errors.Is(err, pipeline.ErrShutdown) || !errors.Is(err, pipeline.ErrUnreachable) {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
	t.Run("suspends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var notices notebook
			d := newDock(t, &pipeline.ServerOptions{Notify: notices.add})
			time.AfterFunc(time.Second, func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := d.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				d.restart(nil)
			})
			r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), nil)
			if err != nil {
				t.Fatal(err)
			}
			d.arrived("f", data)
			if r.Sent > r.Size+5<<20 {
				t.Errorf("sent %d", r.Sent)
			}
			if got, want := notices.kinds(), []string{"started", "suspended"}; !slices.Equal(got, want) {
				t.Errorf("notices %q, want %q", got, want)
			}
		})
	})
}

// TestBusy fills the server and demands that the sender who is turned away
// comes back.
func TestBusy(t *testing.T) {
	for name, opts := range map[string]pipeline.ServerOptions{
		"transfers": {MaxTransfers: 1},
		"memory":    {MaxBuffered: 1 << 20, Window: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, &opts)
				link := &memchan.Options{Rate: 1 << 20}
				var both sync.WaitGroup
				for i := range 3 {
					both.Go(func() {
						name := fmt.Sprint("f", i)
						if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob(name, noise(4<<20)), nil); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
				}
				both.Wait()
				if n := len(d.sink.Names()); n != 3 {
					t.Errorf("%d files", n)
				}
			})
		})
	}
}

// TestProgress demands that each counter lags behind the one before it, that
// none but accepted ever falls, and that all end at the size.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		const size = 6 << 20
		var last pipeline.Progress
		calls := 0
		opts := &pipeline.SendOptions{BlockSize: 256 * kib, Progress: func(p pipeline.Progress) {
			calls++
			if p.Read < p.Acknowledged || p.Accepted < p.Acknowledged || p.Acknowledged < p.Durable || p.Total != size {
				t.Errorf("%+v", p)
			}
			if p.Read < last.Read || p.Acknowledged < last.Acknowledged || p.Durable < last.Durable {
				t.Errorf("%+v after %+v", p, last)
			}
			last = p
		}}
		link := &memchan.Options{Rate: 1 << 20, Latency: 10 * time.Millisecond}
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", noise(size)), opts); err != nil {
			t.Fatal(err)
		}
		if last.Read != size || last.Accepted != size || last.Acknowledged != size || last.Durable != size {
			t.Errorf("at the end %+v", last)
		}
		if calls < 40 || calls > 80 {
			t.Errorf("%d calls in 6 s", calls)
		}
	})
}

// TestOver sends over a channel that cannot be opened again.
func TestOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		ch := d.dial(&memchan.Options{Rate: 1 << 20})
		time.AfterFunc(time.Second, func() { _ = ch.Abort() })
		began := time.Now()
		_, err := pipeline.Send(t.Context(), []pipeline.Route{pipeline.Over(ch)}, blob("f", noise(4<<20)), nil)
		if !errors.Is(err, pipeline.ErrUnreachable) || !errors.Is(err, transport.ErrAborted) {
			t.Errorf("Send returned %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestUnreachable tries for as long as it is told.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) { return nil, refused }}
		began := time.Now()
		_, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", noise(10)), &pipeline.SendOptions{RetryFor: 20 * time.Second})
		if !errors.Is(err, pipeline.ErrUnreachable) || !errors.Is(err, refused) {
			t.Errorf("Send returned %v", err)
		}
		if took := time.Since(began); took < 15*time.Second || took > 27*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestUnfitChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", &memchan.Options{Unordered: true})}, blob("f", noise(10)), &pipeline.SendOptions{RetryFor: -1})
		if !errors.Is(err, pipeline.ErrUnfit) {
			t.Errorf("Send returned %v", err)
		}
	})
}
