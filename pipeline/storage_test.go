package pipeline_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// TestStreamWaitsForStorage fills the receiver's storage in the middle of a
// stream, which cannot be sent a second time. The sender says so at once, waits
// as long as it is told to, and continues when there is room.
func TestStreamWaitsForStorage(t *testing.T) {
	for name, tt := range map[string]struct {
		room time.Duration // until there is room again
		err  error
	}{
		"room again":  {10 * time.Second, nil},
		"never again": {time.Hour, pipeline.ErrNoSpace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, nil)
				sink := &brittle{after: 10, err: &pipeline.EntryError{Path: "f", Err: pipeline.ErrNoSpace}}
				d.srv = pipeline.NewServer(sink, nil)
				data := noise(4 << 20)
				link := &memchan.Options{Rate: 1 << 20, Latency: 20 * time.Millisecond}
				room := time.AfterFunc(tt.room, func() {
					sink.mu.Lock()
					defer sink.mu.Unlock()
					sink.after = 1 << 30
				})
				defer room.Stop()
				var told, waits time.Duration
				began := time.Now()
				r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", link), d.route("b", link)}, pipeline.Stream("f", bytes.NewReader(data)), &pipeline.SendOptions{
					BlockSize: 64 * kib,
					RetryFor:  30 * time.Second,
					Event: func(e pipeline.Event) {
						if errors.Is(e.Err, pipeline.ErrNoSpace) && told == 0 {
							told = time.Since(began)
						}
						if e.Kind == pipeline.EventWaiting {
							waits = time.Since(began)
						}
					},
				})
				took := time.Since(began)
				if told == 0 || told > 2*time.Second {
					t.Errorf("the cause was told after %v", told)
				}
				if tt.err != nil {
					if !errors.Is(err, tt.err) || !errors.Is(err, pipeline.ErrUnreachable) {
						t.Errorf("Send returned %v", err)
					}
					if took < 28*time.Second || took > 40*time.Second {
						t.Errorf("gave up after %v", took)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if waits > 16*time.Second || took > 22*time.Second {
					t.Errorf("waited until %v, done after %v", waits, took)
				}
				if content, _ := sink.File("f"); !bytes.Equal(content, data) {
					t.Errorf("%d bytes arrived of %d", len(content), len(data))
				}
				if len(r.Routes) != 1 {
					t.Errorf("carried by %v, want the route that worked", r.Routes)
				}
			})
		})
	}
}
