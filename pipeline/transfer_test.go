package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

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
