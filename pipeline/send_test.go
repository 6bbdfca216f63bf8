package pipeline_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// dock is a server in memory with routes to it.
type dock struct {
	t    testing.TB
	sink pipeline.MemorySink
	peer string // whom all channels come from

	mu    sync.Mutex
	srv   *pipeline.Server
	ends  []*memchan.Channel // at the sender, in order of opening
	calls sync.WaitGroup
	errs  []error // of Handle
}

func newDock(t testing.TB, opts *pipeline.ServerOptions) *dock {
	d := &dock{t: t}
	d.restart(opts)
	t.Cleanup(d.shutdown)
	return d
}

// restart replaces the server by a new one on the same sink.
func (d *dock) restart(opts *pipeline.ServerOptions) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.srv = pipeline.NewServer(&d.sink, opts)
}

func (d *dock) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	d.mu.Lock()
	srv := d.srv
	d.mu.Unlock()
	_ = srv.Shutdown(ctx) // suspended transfers are the test's business
	d.calls.Wait()
}

// dial opens a link to the server.
func (d *dock) dial(opts *memchan.Options) *memchan.Channel {
	a, b := memchan.New(opts)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ends = append(d.ends, a)
	srv := d.srv
	d.calls.Go(func() {
		err := srv.Handle(pipeline.WithPeer(context.Background(), d.peer), b)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.errs = append(d.errs, err)
	})
	return a
}

// route is a way to the server.
func (d *dock) route(name string, opts *memchan.Options) pipeline.Route {
	return pipeline.Route{Name: name, Open: func(context.Context) (transport.Channel, error) {
		return d.dial(opts), nil
	}}
}

// arrived fails the test unless the file is there and equal.
func (d *dock) arrived(name string, want []byte) {
	d.t.Helper()
	got, ok := d.sink.File(name)
	if !ok {
		d.t.Fatalf("%s did not arrive; there are %q", name, d.sink.Names())
	}
	if !bytes.Equal(got, want) {
		d.t.Fatalf("%s arrived with %d bytes, other than the %d sent", name, len(got), len(want))
	}
}

const kib = 1 << 10

func blob(name string, data []byte) pipeline.Source {
	return pipeline.Blob(name, bytes.NewReader(data), int64(len(data)), name)
}

func TestSendOneFile(t *testing.T) {
	for _, size := range []int{0, 1, 64*kib - 1, 64 * kib, 64*kib + 1, 1 << 20, 3<<20 + 17} {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			data := noise(size)
			opts := &pipeline.SendOptions{BlockSize: 64 * kib}
			got, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", data), opts)
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			d.arrived("f", data)
			if want := pipeline.Hash(blake3.Sum256(data)); got.Root != want || got.Size != int64(size) || got.Files != 1 || got.Sent != int64(size) {
				t.Errorf("size %d: result %+v, want root %v", size, got, want)
			}
		})
	}
}

func TestSendStream(t *testing.T) {
	for _, size := range []int{0, 1, 64 * kib, 64*kib + 1, 128 * kib, 1<<20 + 5} {
		synctest.Test(t, func(t *testing.T) {
			d := newDock(t, nil)
			data := noise(size)
			src := pipeline.Stream("in", bytes.NewBuffer(bytes.Clone(data)))
			got, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, src, &pipeline.SendOptions{BlockSize: 64 * kib})
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			d.arrived("in", data)
			if want := pipeline.Hash(blake3.Sum256(data)); got.Root != want {
				t.Errorf("size %d: root %v, want %v", size, got.Root, want)
			}
		})
	}
}
