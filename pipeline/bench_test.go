package pipeline_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chunkferry/chunkferry/pipeline"
)

// nowhere is a sink that takes everything and keeps nothing, so that a
// benchmark measures the pipeline alone.
type nowhere struct{}

func (nowhere) Open(_ context.Context, m *pipeline.Manifest, _ bool) (pipeline.Store, error) {
	return nowhereStore{m}, nil
}

type nowhereStore struct{ m *pipeline.Manifest }

func (nowhereStore) Receipt() *pipeline.Receipt                     { return nil }
func (nowhereStore) Held(context.Context) (pipeline.Held, error)    { return pipeline.Held{}, nil }
func (nowhereStore) WriteBlock(uint32, []byte, pipeline.Hash) error { return nil }
func (nowhereStore) Sync(context.Context) error                     { return nil }
func (nowhereStore) Suspend() error                                 { return nil }
func (nowhereStore) Discard() error                                 { return nil }
func (s nowhereStore) Commit(_ context.Context, size int64, root pipeline.Hash) (*pipeline.Receipt, error) {
	return &pipeline.Receipt{Size: size, Root: root}, nil
}

// repeated is 16 MiB over and over.
type repeated []byte

func (r repeated) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], r[(off+int64(n))%int64(len(r)):])
	}
	return len(p), nil
}

func BenchmarkTransfer(b *testing.B) {
	const size = 1 << 30
	data := repeated(noise(16 << 20))
	for _, streams := range []int{1, 4} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			d := newDock(b, nil)
			d.srv = pipeline.NewServer(nowhere{}, nil)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				_, err := pipeline.Send(b.Context(), []pipeline.Route{d.route("a", nil)},
					pipeline.Blob("f", data, size, ""), &pipeline.SendOptions{Streams: streams})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
