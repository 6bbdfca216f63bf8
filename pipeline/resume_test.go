package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// tap is a channel that calls a function before every message it carries, in
// either direction.
type tap struct {
	*memchan.Channel
	message func(ch *memchan.Channel)
}

func (t *tap) Send(msg []byte) error {
	t.message(t.Channel)
	return t.Channel.Send(msg)
}

func (t *tap) SendText(msg string) error {
	t.message(t.Channel)
	return t.Channel.SendText(msg)
}

func (t *tap) Receive(ctx context.Context) (transport.Message, error) {
	m, err := t.Channel.Receive(ctx)
	t.message(t.Channel)
	return m, err
}

// tapped is a route whose channels call message.
func (d *dock) tapped(name string, message func(ch *memchan.Channel)) pipeline.Route {
	return pipeline.Route{Name: name, Open: func(context.Context) (transport.Channel, error) {
		return &tap{d.dial(nil), message}, nil
	}}
}

const (
	smallBlock = 64 * kib
	smallFile  = 9*smallBlock + 5
)

// TestResumeAnywhere ends the first attempt at every single message, in
// several ways, and demands that the transfer ends well.
func TestResumeAnywhere(t *testing.T) {
	data := noise(smallFile)
	const buffered = 6 * smallBlock
	ways := map[string]func(d *dock, ch *memchan.Channel, cancel context.CancelFunc){
		"link aborted": func(_ *dock, ch *memchan.Channel, _ context.CancelFunc) { _ = ch.Abort() },
		"link silent":  func(_ *dock, ch *memchan.Channel, _ context.CancelFunc) { ch.Cut() },
		"sender killed": func(_ *dock, ch *memchan.Channel, cancel context.CancelFunc) {
			_ = ch.Abort()
			cancel()
		},
		"sender killed, link silent": func(_ *dock, ch *memchan.Channel, cancel context.CancelFunc) {
			ch.Cut()
			cancel()
		},
		"receiver killed": func(d *dock, ch *memchan.Channel, _ context.CancelFunc) {
			_ = ch.Abort()
			d.kill()
		},
		"both killed": func(d *dock, ch *memchan.Channel, cancel context.CancelFunc) {
			_ = ch.Abort()
			cancel()
			d.kill()
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for at := int64(1); ; at++ {
				hit := false
				synctest.Test(t, func(t *testing.T) {
					d := newDock(t, nil)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var count atomic.Int64
					route := d.tapped("a", func(ch *memchan.Channel) {
						if count.Add(1) == at {
							hit = true
							way(d, ch, cancel)
						}
					})
					opts := &pipeline.SendOptions{BlockSize: smallBlock, ChunkSize: 24 * kib, MaxBuffered: buffered}
					var last, before int64 // bytes that channels took, in this attempt and in those before
					opts.Progress = func(p pipeline.Progress) { last = p.Accepted }
					_, err := pipeline.Send(ctx, []pipeline.Route{route}, blob("f", data), opts)
					if errors.Is(err, context.Canceled) {
						before, last = last, 0
						_, err = pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", data), opts)
					}
					if err != nil {
						t.Fatalf("at message %d: %v", at, err)
					}
					d.arrived("f", data)
					if sent := before + last; sent < smallFile || sent > smallFile+buffered {
						t.Errorf("at message %d: sent %d bytes, want from %d to %d", at, sent, smallFile, smallFile+buffered)
					}
				})
				if t.Failed() {
					return
				}
				if !hit {
					if at < 40 {
						t.Fatalf("only %d messages", at)
					}
					return
				}
			}
		})
	}
}

// kill ends the server without a word and starts another on the same sink.
func (d *dock) kill() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d.mu.Lock()
	old := d.srv
	d.mu.Unlock()
	_ = old.Shutdown(ctx)
	d.restart(nil)
}

// TestFailover blocks the route in use in mid-transfer and measures how long
// it takes until the other one has taken over.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		const rate = 4 << 20
		data := noise(16 << 20)
		link := &memchan.Options{Rate: rate, Latency: 10 * time.Millisecond}
		var cutAt, backAt time.Time
		opts := &pipeline.SendOptions{Event: func(e pipeline.Event) {
			if e.Kind == pipeline.EventConnected && e.Route == "wss" {
				backAt = time.Now()
			}
		}}
		time.AfterFunc(2*time.Second, func() {
			cutAt = time.Now()
			d.mu.Lock()
			defer d.mu.Unlock()
			d.ends[0].Cut()
		})
		var dead atomic.Bool
		quic := pipeline.Route{Name: "quic", Open: func(ctx context.Context) (transport.Channel, error) {
			if dead.Swap(true) {
				<-ctx.Done() // blocked: nothing comes back
				return nil, ctx.Err()
			}
			return d.dial(link), nil
		}}
		began := time.Now()
		r, err := pipeline.Send(t.Context(), []pipeline.Route{quic, d.route("wss", link)}, blob("f", data), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		if gap := backAt.Sub(cutAt); gap < 0 || gap > 3*time.Second {
			t.Errorf("took %v to fail over", gap)
		}
		if got, want := fmt.Sprint(r.Routes), "[quic wss]"; got != want {
			t.Errorf("routes %s, want %s", got, want)
		}
		if most := int64(len(data) + 5<<20); r.Sent > most {
			t.Errorf("sent %d bytes, want at most %d", r.Sent, most)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestRaceStaggered starts with the first route blocked.
func TestRaceStaggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		blocked := pipeline.Route{Name: "quic", Open: func(ctx context.Context) (transport.Channel, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		refused := pipeline.Route{Name: "webrtc", Open: func(context.Context) (transport.Channel, error) {
			return nil, errors.New("refused")
		}}
		began := time.Now()
		r, err := pipeline.Send(t.Context(), []pipeline.Route{blocked, refused, d.route("wss", nil)}, blob("f", noise(100)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 250*time.Millisecond {
			t.Errorf("took %v, want one stagger: the refusal starts the next at once", took)
		}
		if len(r.Routes) != 1 || r.Routes[0] != "wss" {
			t.Errorf("routes %q", r.Routes)
		}
	})
}

// TestStriping spreads one file over several channels of two routes, kills
// them one after the other, and demands the content.
func TestStriping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(24 << 20)
		link := &memchan.Options{Rate: 2 << 20, Latency: 5 * time.Millisecond}
		for i := range 6 {
			time.AfterFunc(time.Duration(i+1)*500*time.Millisecond, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				if i%2 == 0 {
					_ = d.ends[i].Abort()
				} else {
					d.ends[i].Cut()
				}
			})
		}
		opts := &pipeline.SendOptions{Streams: 4, Bond: true, BlockSize: 256 * kib}
		began := time.Now()
		r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link), d.route("b", link)}, blob("f", data), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		if len(r.Routes) != 2 {
			t.Errorf("routes %q, want both", r.Routes)
		}
		if took, alone := time.Since(began), 12*time.Second; took > alone/2 {
			t.Errorf("took %v, one channel alone takes %v", took, alone)
		}
	})
}
