package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// forgetful is a memory sink that keeps only some blocks from one attempt to
// the next, and commits under other names.
type forgetful struct {
	pipeline.MemorySink
	keep func(n uint32) bool
}

type forgetfulStore struct {
	pipeline.Store
	keep func(n uint32) bool
}

func (s *forgetful) Open(ctx context.Context, m *pipeline.Manifest, restart bool) (pipeline.Store, error) {
	st, err := s.MemorySink.Open(ctx, m, restart)
	return &forgetfulStore{st, s.keep}, err
}

func (s *forgetfulStore) Held(ctx context.Context) (pipeline.Held, error) {
	h, err := s.Store.Held(ctx)
	h.Blocks = slices.DeleteFunc(h.Blocks, func(b pipeline.BlockState) bool {
		if s.keep(b.Block) {
			return false
		}
		h.Damage = append(h.Damage, fmt.Errorf("test: block %d forgotten", b.Block))
		return true
	})
	return h, err
}

func (s *forgetfulStore) Commit(ctx context.Context, size int64, root pipeline.Hash) (*pipeline.Receipt, error) {
	r, err := s.Store.Commit(ctx, size, root)
	if r != nil {
		r = &pipeline.Receipt{Size: r.Size, Root: r.Root, Files: slices.Clone(r.Files)}
		for i := range r.Files {
			r.Files[i].Name += " (1)"
		}
	}
	return r, err
}

// TestKeptFragments continues from every second block: so many ranges that
// they take several messages.
func TestKeptFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blocks = 1500
		d := newDock(t, nil)
		sink := &forgetful{keep: func(n uint32) bool { return n%2 == 0 }}
		d.srv = pipeline.NewServer(sink, nil)
		data := noise(blocks * 64 * kib)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opts := &pipeline.SendOptions{BlockSize: 64 * kib, Progress: func(p pipeline.Progress) {
			if p.Acknowledged > (blocks-200)*64*kib {
				cancel()
			}
		}}
		link := &memchan.Options{Rate: 16 << 20}
		if _, err := pipeline.Send(ctx, []pipeline.Route{d.route("a", link)}, blob("f", data), opts); !errors.Is(err, pipeline.ErrCanceled) {
			t.Fatal(err)
		}
		opts.Progress = nil
		r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data), opts)
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent < (blocks/2)*64*kib || r.Sent > (blocks/2+200)*64*kib {
			t.Errorf("sent %d blocks of %d", r.Sent/(64*kib), blocks)
		}
		if want := []pipeline.Committed{{Path: "f", Name: "f (1)"}}; !slices.Equal(r.Renamed, want) {
			t.Errorf("renamed %v, want %v", r.Renamed, want)
		}
	})
}

// TestReceiverForgets kills the receiver in mid-transfer; the new one has lost
// blocks that the old one had acknowledged. A file can be read again.
func TestReceiverForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		sink := &forgetful{keep: func(n uint32) bool { return n%3 != 0 }}
		d.srv = pipeline.NewServer(sink, nil)
		data := noise(8 << 20)
		link := &memchan.Options{Rate: 2 << 20}
		time.AfterFunc(2*time.Second, func() {
			d.mu.Lock()
			old := d.srv
			d.srv = pipeline.NewServer(sink, nil)
			_ = d.ends[0].Abort()
			d.mu.Unlock()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = old.Shutdown(ctx)
		})
		r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link)}, blob("f", data), &pipeline.SendOptions{BlockSize: 64 * kib})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := sink.File("f")
		if !ok || string(got) != string(data) {
			t.Error("the content differs")
		}
		if r.Sent <= r.Size {
			t.Errorf("sent %d bytes of %d: nothing was lost", r.Sent, r.Size)
		}
	})
}

// plain is a channel with nothing but what every channel has.
type plain struct{ transport.Channel }

// TestPlainChannel uses channels that declare nothing, cannot be aborted, and
// have little room.
func TestPlainChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		link := &memchan.Options{Rate: 1 << 20, MaxBuffered: 100 * kib, ReceiveBuffer: 64 * kib}
		route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) {
			return plain{d.dial(link)}, nil
		}}
		time.AfterFunc(time.Second, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.ends[0].Cut()
		})
		data := noise(3 << 20)
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", data), &pipeline.SendOptions{BlockSize: 256 * kib}); err != nil {
			t.Fatal(err)
		}
		d.arrived("f", data)
		time.Sleep(15 * time.Second) // until the dead channel's Close gives up
	})
}

func TestSendOptionsRefused(t *testing.T) {
	for name, opts := range map[string]pipeline.SendOptions{
		"block size odd":   {BlockSize: 100_000},
		"block size small": {BlockSize: 1 << 10},
		"block size large": {BlockSize: 32 << 20},
		"streams":          {Streams: -1},
		"chunk size":       {ChunkSize: 10},
		"rate":             {Rate: 1},
		"key":              {Key: []byte("short")},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, nil)
			given := opts
			_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", nil), &given)
			if !errors.Is(err, pipeline.ErrInvalid) {
				t.Errorf("Send returned %v", err)
			}
		})
	}
	if _, err := pipeline.Send(t.Context(), nil, blob("f", nil), nil); !errors.Is(err, pipeline.ErrInvalid) {
		t.Errorf("without a route: %v", err)
	}
}

func TestMemorySink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		d.sink.MaxBytes = 1 << 20
		routes := []pipeline.Route{d.route("a", nil)}
		if _, err := pipeline.Send(t.Context(), routes, blob("f", noise(800*kib)), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.Send(t.Context(), routes, blob("g", noise(800*kib)), nil); !errors.Is(err, pipeline.ErrNoSpace) {
			t.Errorf("beyond MaxBytes: %v", err)
		}
		d.sink.Remove("f")
		if _, err := pipeline.Send(t.Context(), routes, blob("g", noise(800*kib)), nil); err != nil {
			t.Errorf("with room again: %v", err)
		}
		d.sink.Remove("g")
		if _, err := pipeline.Send(t.Context(), routes, blob("g", noise(800*kib)), nil); err != nil {
			t.Errorf("removed and sent again: %v", err)
		}
		d.arrived("g", noise(800*kib))
	})
}
