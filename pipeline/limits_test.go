package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

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
		"memory":    {MaxBuffered: 1<<20 + 4096, Window: 1 << 20},
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

// TestLimitsRefused exceeds the receiver's limits; both sides name them.
func TestLimitsRefused(t *testing.T) {
	many := make(map[string]string)
	for i := range 2000 {
		many[fmt.Sprintf("d/some-file-name-%d", i)] = ""
	}
	dir := tree(t, many)
	for name, tt := range map[string]struct {
		serve pipeline.ServerOptions
		src   pipeline.Source
	}{
		"MaxSize":         {pipeline.ServerOptions{MaxSize: 1000}, blob("f", noise(1001))},
		"MaxSize, stream": {pipeline.ServerOptions{MaxSize: 100 * kib}, pipeline.Stream("f", bytes.NewBuffer(noise(4<<20)))},
		"MaxFiles":        {pipeline.ServerOptions{MaxFiles: 100}, pipeline.Files(dir + "/d")},
		"blocks":          {pipeline.ServerOptions{Window: 256 * kib}, blob("f", noise(1001))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, &tt.serve)
				_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, tt.src, nil)
				var p *pipeline.PeerError
				if !errors.Is(err, pipeline.ErrLimit) || !errors.As(err, &p) {
					t.Errorf("Send returned %v", err)
				}
				synctest.Wait()
				d.mu.Lock()
				defer d.mu.Unlock()
				if len(d.errs) != 1 || !errors.Is(d.errs[0], pipeline.ErrLimit) {
					t.Errorf("Handle returned %v", d.errs)
				}
			})
		})
	}
}

// TestManifestBounded offers lists of files that are too large or too slow.
func TestManifestBounded(t *testing.T) {
	path := strings.Repeat("d/", 1500)
	begin := fmt.Sprintf(`{"type":"offer","id":%s,"size":0,"block_size":65536,"count":100000,"entries":[{"path":"f","size":0}]}`, testID)
	batch := func(i int) string {
		return fmt.Sprintf(`{"type":"entries","entries":[{"path":"%s%d","size":0}]}`, path, i)
	}
	t.Run("large", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			r := newRogue(t, d.srv)
			r.say(helloLine, begin)
			for i := range 12_000 {
				if r.ch.SendText(batch(i)) != nil {
					break
				}
				synctest.Wait()
			}
			if got := r.await("error"); !strings.Contains(got, `"limit"`) {
				t.Errorf("told %s", got)
			}
			_ = r.ch.Close()
			if err := <-r.result; !errors.Is(err, pipeline.ErrLimit) {
				t.Errorf("Handle returned %v", err)
			}
			if c := d.srv.Counters(); c.Buffered != 0 {
				t.Errorf("counters %+v", c)
			}
		})
	})
	t.Run("slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			r := newRogue(t, d.srv)
			r.say(helloLine, begin)
			began := time.Now()
			go func() {
				for i := 0; r.ch.SendText(batch(i)) == nil; i++ {
					time.Sleep(8 * time.Second)
				}
			}()
			if got := r.await("error"); !strings.Contains(got, `"idle"`) {
				t.Errorf("told %s", got)
			}
			if took := time.Since(began); took < 90*time.Second || took > 110*time.Second {
				t.Errorf("after %v", took)
			}
			_ = r.ch.Close()
			<-r.result
			time.Sleep(10 * time.Second)
		})
	})
}

// TestBondAvoidsTheDead stripes over two routes of which one is blocked.
func TestBondAvoidsTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		link := &memchan.Options{Rate: 1 << 20}
		blocked := pipeline.Route{Name: "quic", Open: func(context.Context) (transport.Channel, error) {
			return nil, errors.New("blocked")
		}}
		most := 0
		opts := &pipeline.SendOptions{Streams: 3, Bond: true, BlockSize: 256 * kib, Progress: func(p pipeline.Progress) { most = max(most, len(p.Routes)) }}
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{blocked, d.route("wss", link)}, blob("f", noise(12<<20)), opts); err != nil {
			t.Fatal(err)
		}
		if most != 3 {
			t.Errorf("at most %d channels at once, want 3", most)
		}
	})
}

// TestRefused turns senders away before they have a transfer, and tells the
// operator.
func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"size":  {"right", pipeline.ErrLimit},
		"token": {"wrong", pipeline.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var notices notebook
				d := newDock(t, &pipeline.ServerOptions{Token: "right", MaxSize: 9, Notify: notices.add})
				_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", noise(10)), &pipeline.SendOptions{Token: tt.token})
				if !errors.Is(err, tt.want) {
					t.Errorf("Send returned %v", err)
				}
				synctest.Wait()
				if n := notices.last(); n.Kind != pipeline.NoticeRefused || !errors.Is(n.Err, tt.want) || n.Transfer != nil {
					t.Errorf("notice %+v", n)
				}
			})
		})
	}
}
