package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

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
