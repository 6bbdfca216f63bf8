package carrier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T, streams int) Options {
	t.Helper()
	cert, err := pinned.New()
	if err != nil {
		t.Fatal(err)
	}
	return Options{ChunkSize: 48 << 10, HighWater: 4 << 20, Streams: streams, Certificate: cert}
}

// emulated is a link with a delay, so that what should wait for a round trip
// does.
func emulated(t *testing.T) Hosts {
	t.Helper()
	spec, err := link.ParseSpec("rtt=4ms,rate=200mbit")
	if err != nil {
		t.Fatal(err)
	}
	n, err := link.Open(spec, link.User, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return Hosts{Client: n.Client(), Server: n.Server()}
}

// each runs a test on every carrier, on both kinds of hosts.
func each(t *testing.T, streams int, run func(t *testing.T, ctx context.Context, c Carrier, p Place)) {
	for _, on := range []struct {
		name  string
		hosts func(*testing.T) Hosts
	}{{"loopback", func(*testing.T) Hosts { return Loopback() }}, {"emulated", emulated}} {
		for _, c := range All() {
			t.Run(on.name+"/"+c.Name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				p, err := c.Setup(on.hosts(t), options(t, streams))
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := p.Close(); err != nil {
						t.Errorf("close the place: %v", err)
					}
				}()
				run(t, ctx, c, p)
			})
		}
	}
}

// sink takes bytes in order and hashes them.
type sink struct {
	t *testing.T
	n int64
	b bytes.Buffer
}

func (s *sink) WriteAt(p []byte, off int64) (int, error) {
	if off != s.n {
		s.t.Errorf("%d bytes at %d, want at %d", len(p), off, s.n)
	}
	s.n += int64(len(p))
	return s.b.Write(p)
}

// carry moves size bytes from one end to the other.
func carry(ctx context.Context, t *testing.T, from, to End, size int64, seed byte) {
	t.Helper()
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(content)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := from.Send(ctx, bytes.NewReader(content), size); err != nil {
			t.Errorf("send: %v", err)
		}
	})
	got := &sink{t: t}
	if err := to.Receive(ctx, got, size); err != nil {
		t.Errorf("receive: %v", err)
	}
	wg.Wait()
	if sha256.Sum256(got.b.Bytes()) != sha256.Sum256(content) {
		t.Errorf("%d bytes arrived, not the %d that were sent", got.n, size)
	}
}

func TestFilesBothWaysOnEveryFlow(t *testing.T) {
	const streams = 3
	each(t, streams, func(t *testing.T, ctx context.Context, c Carrier, p Place) {
		s, err := p.Connect(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if len(s.Near) != streams || len(s.Far) != streams {
			t.Fatalf("%d and %d ends", len(s.Near), len(s.Far))
		}
		var wg sync.WaitGroup
		for i := range streams {
			wg.Go(func() {
				carry(ctx, t, s.Near[i], s.Far[i], 1<<20+17, byte(i))
				carry(ctx, t, s.Far[i], s.Near[i], 1<<20-17, byte(10+i))
			})
		}
		wg.Wait()
		if (c.Role == result.Transport) != (s.Properties.MaxMessageSize > 0) && c.Role != result.Yardstick {
			t.Errorf("a %s with the properties %+v", c.Role, s.Properties)
		}
	})
}

func TestMessages(t *testing.T) {
	each(t, 1, func(t *testing.T, ctx context.Context, _ Carrier, p Place) {
		s, err := p.Connect(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		near, far := s.Near[0], s.Far[0]
		for i := range 20 {
			request, answer := bytes.Repeat([]byte{byte(i)}, 1000*i+1), []byte{byte(i), 1}
			if err := near.Put(ctx, request); err != nil {
				t.Fatal(err)
			}
			if got, err := far.Get(ctx, len(request)); err != nil || !bytes.Equal(got, request) {
				t.Fatalf("request %d: %d bytes, %v", i, len(got), err)
			}
			if err := far.Put(ctx, answer); err != nil {
				t.Fatal(err)
			}
			if got, err := near.Get(ctx, len(answer)); err != nil || !bytes.Equal(got, answer) {
				t.Fatalf("answer %d: %x, %v", i, got, err)
			}
		}
	})
}

// Connections follow each other, resumed where that exists, with a further flow
// where that exists; what can do neither says so.
func TestResumeAndReuse(t *testing.T) {
	resumes := map[string]bool{"wss": true, "tls": true, "websocket-tls": true, "quic": true, "quic-stream": true}
	reuses := map[string]bool{"quic": true, "quic-stream": true, "webrtc": true, "datachannel": true}
	each(t, 1, func(t *testing.T, ctx context.Context, c Carrier, p Place) {
		for _, resume := range []bool{false, true, false} {
			s, err := p.Connect(ctx, resume)
			if resume && !resumes[c.Name] {
				if !errors.Is(err, ErrNoResumption) {
					t.Fatalf("resumed: %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("resume %v: %v", resume, err)
			}
			carry(ctx, t, s.Near[0], s.Far[0], 1000, 1)
			carry(ctx, t, s.Far[0], s.Near[0], 1000, 1)
			near, far, err := s.More(ctx)
			if reuses[c.Name] {
				if err != nil {
					t.Fatalf("another flow: %v", err)
				}
				carry(ctx, t, far, near, 1<<20, 2)
			} else if !errors.Is(err, ErrNoReuse) {
				t.Errorf("another flow: %v", err)
			}
			s.Close()
		}
	})
}

// A session that is closed while bytes flow ends both sides of every flow at
// once, however much the link still holds.
func TestCloseEndsWhatRuns(t *testing.T) {
	each(t, 2, func(t *testing.T, ctx context.Context, _ Carrier, p Place) {
		s, err := p.Connect(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		const size = 4 << 30
		stop, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		flowing := make(chan struct{})
		var once sync.Once
		for i := range s.Near {
			wg.Go(func() {
				if s.Near[i].Send(stop, endless{}, size) == nil {
					t.Error("the file is sent")
				}
			})
			wg.Go(func() {
				if s.Far[i].Receive(stop, writer(func(int64) { once.Do(func() { close(flowing) }) }), size) == nil {
					t.Error("the file has arrived")
				}
			})
		}
		select {
		case <-flowing:
		case <-ctx.Done():
			t.Fatal("nothing flows")
		}
		begin := time.Now()
		cancel()
		s.Close()
		wg.Wait()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type writer func(int64)

func (w writer) WriteAt(p []byte, off int64) (int, error) {
	w(off)
	return len(p), nil
}

var _ io.WriterAt = writer(nil)
