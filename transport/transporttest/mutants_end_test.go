package transporttest

import (
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func closeMutants() []*mutant {
	return []*mutant{
		{check: "close-delivers", name: "drops what is queued", fault: func(f *faulty) {
			f.close = func() error {
				if f.Channel.BufferedAmount() > 0 {
					_ = f.Channel.Abort()
				}
				return f.Channel.Close()
			}
		}, also: []string{"close-while-sending"}},
		{check: "close-undelivered", name: "claims delivery", fault: func(f *faulty) {
			f.close = func() error { _ = f.Channel.Close(); return nil }
		}, also: []string{"cut-close"}},
		{check: "close-undelivered", name: "waits for ever", opts: memchan.Options{CloseTimeout: time.Hour}},
		{check: "close-never-looks-whole", name: "a broken stream ends like a whole one", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, transport.ErrAborted) {
					err = io.EOF
				}
				return m, err
			}
		}, also: []string{"abort-peer", "abort-here"}},
		{check: "close-wakes-receive", name: "Receive sleeps through Close", fault: func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.Channel.Close() }
			f.receive = func(ctx context.Context) (transport.Message, error) {
				before := closed.Load()
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, transport.ErrClosed) && !before && closed.Load() {
					<-ctx.Done()
				}
				return m, err
			}
		}},
		{check: "close-wakes-drain", name: "Drain sleeps through Close", fault: func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.Channel.Close() }
			f.drain = func(ctx context.Context, low int) error {
				before := closed.Load()
				err := f.Channel.Drain(ctx, low)
				if errors.Is(err, transport.ErrClosed) && !before && closed.Load() {
					<-ctx.Done()
				}
				return err
			}
		}, also: []string{"close-while-sending"}},
		{check: "close-twice", name: "the second is an error", fault: func(f *faulty) {
			var calls atomic.Int32
			f.close = func() error {
				if calls.Add(1) > 1 {
					return transport.ErrClosed
				}
				return f.Channel.Close()
			}
		}, also: []string{"close-at-once", "eof-unread"}},
		{check: "close-at-once", name: "the second at the same time is an error", fault: func(f *faulty) {
			var inside atomic.Int32
			f.close = func() error {
				defer inside.Add(-1)
				if inside.Add(1) > 1 {
					return transport.ErrClosed
				}
				pause(context.Background(), 5*time.Millisecond)
				return f.Channel.Close()
			}
		}},
		{check: "close-both-sides", name: "two ends that close at once fail", fault: func(f *faulty) {
			f.close = func() error {
				f.closing.Store(true)
				defer f.closing.Store(false)
				pause(context.Background(), 20*time.Millisecond)
				both := f.peer.closing.Load()
				err := f.Channel.Close()
				if both {
					return transport.ErrAborted
				}
				return err
			}
		}},
		{check: "close-in-receive-loop", name: "Close waits for the reader", fault: func(f *faulty) {
			var messages atomic.Int32
			aborted := make(chan struct{})
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if err == nil && len(m.Data) == 1000 {
					messages.Add(1)
				}
				return m, err
			}
			f.abort = func() error {
				if messages.Swap(0) >= 0 {
					select {
					case <-aborted:
					default:
						close(aborted)
					}
				}
				return f.Channel.Abort()
			}
			f.close = func() error {
				if messages.Load() == 10 {
					<-aborted
				}
				return f.Channel.Close()
			}
		}},
		{check: "close-while-sending", name: "accepts and forgets during Close", fault: func(f *faulty) {
			var inside atomic.Bool
			f.close = func() error {
				inside.Store(true)
				defer inside.Store(false)
				pause(context.Background(), 5*time.Millisecond)
				return f.Channel.Close()
			}
			f.send = func(m transport.Message) error {
				if inside.Load() {
					return nil
				}
				return f.inner(m)
			}
		}, also: []string{"close-in-receive-loop"}},
		{check: "send-after-close", name: "text goes into nothing", fault: func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { defer closed.Store(true); return f.Channel.Close() }
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if m.Text && closed.Load() {
					return nil
				}
				return err
			}
		}},
		{check: "receive-after-close", name: "looks like the peer's end", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				before := f.Channel.ReadyState()
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, transport.ErrClosed) && before == transport.StateClosed {
					err = io.EOF
				}
				return m, err
			}
		}},
	}
}

// leaks starts a goroutine that ends with the test.
func leaks(t *testing.T) func() {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return func() { go func() { <-done }() }
}

func leakMutants(t *testing.T) []*mutant {
	leak := leaks(t)
	return []*mutant{
		{check: "leak-close", name: "Close leaves one", fault: func(f *faulty) {
			f.close = func() error { leak(); return f.Channel.Close() }
		}},
		{check: "leak-peer-close", name: "the peer's end leaves one", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, io.EOF) {
					leak()
				}
				return m, err
			}
		}},
		{check: "leak-abort", name: "Abort leaves one", fault: func(f *faulty) {
			f.abort = func() error { leak(); return f.Channel.Abort() }
		}},
	}
}

// deadPeer is the detection time of the mutants that declare one.
const deadPeer = 300 * time.Millisecond

func deathMutants() []*mutant {
	noticing := memchan.Options{DeadPeer: deadPeer}
	never := func(f *faulty) {
		f.properties = func() transport.Properties {
			p := f.Channel.Properties()
			p.DeadPeer = deadPeer
			return p
		}
	}
	discards := func(f *faulty) {
		f.receive = func(ctx context.Context) (transport.Message, error) {
			m, err := f.Channel.Receive(ctx)
			for err == nil && len(m.Data) == 1000 && f.Channel.ReadyState() == transport.StateClosed {
				m, err = f.Channel.Receive(ctx)
			}
			return m, err
		}
	}
	return []*mutant{
		{check: "abort-peer", name: "an abort looks like the end", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, transport.ErrAborted) {
					err = io.EOF
				}
				return m, err
			}
		}, also: []string{"abort-here"}},
		{check: "abort-peer", name: "does not tell the peer", fault: func(f *faulty) {
			f.abort = func() error { return nil }
		}, also: []string{"abort-here", "abort-arrived", "methods-at-once"}},
		{check: "abort-arrived", name: "discards what had arrived", fault: discards},
		{check: "abort-here", name: "Receive sleeps through Abort", fault: func(f *faulty) {
			var aborted atomic.Bool
			f.abort = func() error { aborted.Store(true); return f.Channel.Abort() }
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if err != nil && aborted.Load() {
					<-ctx.Done()
				}
				return m, err
			}
		}, also: []string{"methods-at-once"}},
		{check: "cut-idle", name: "never notices", fault: never},
		{check: "cut-sending", name: "never notices", fault: never},
		{check: "cut-drain", name: "never notices", fault: never},
		{check: "cut-arrived", name: "never notices", fault: never},
		{check: "cut-sending", name: "Send finds no room for ever", opts: noticing, fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if errors.Is(err, transport.ErrPeerGone) {
					return transport.ErrBufferFull
				}
				return err
			}
		}},
		{check: "cut-drain", name: "Drain sleeps through death", opts: noticing, fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error {
				err := f.Channel.Drain(ctx, low)
				if errors.Is(err, transport.ErrPeerGone) {
					<-ctx.Done()
				}
				return err
			}
		}},
		{check: "cut-drain", name: "the state learns later than Drain", opts: noticing, fault: func(f *faulty) {
			var late atomic.Bool
			f.drain = func(ctx context.Context, low int) error {
				err := f.Channel.Drain(ctx, low)
				late.Store(errors.Is(err, transport.ErrPeerGone))
				return err
			}
			f.state = func() transport.State {
				if late.Swap(false) {
					return transport.StateOpen
				}
				return f.Channel.ReadyState()
			}
		}},
		{check: "cut-arrived", name: "discards what had arrived", opts: noticing, fault: discards, also: []string{"abort-arrived"}},
		{check: "cut-close", name: "claims delivery", fault: func(f *faulty) {
			f.close = func() error { _ = f.Channel.Close(); return nil }
		}},
		{check: "cut-close", name: "waits for ever", opts: memchan.Options{CloseTimeout: time.Hour}},
	}
}

// unbounded returns a fault that queues without limit what finds no room, if it
// has at most size bytes.
func unbounded(size int) func(*faulty) {
	return func(f *faulty) {
		var overflow []transport.Message
		f.send = func(m transport.Message) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			err := transport.ErrBufferFull
			if len(overflow) == 0 || f.Channel.ReadyState() != transport.StateOpen || len(m.Data) > f.Channel.Properties().MaxMessageSize {
				err = f.inner(m)
			}
			if errors.Is(err, transport.ErrBufferFull) && len(m.Data) <= size {
				overflow = append(overflow, transport.Message{Data: append(make([]byte, 0, 16), m.Data...), Text: m.Text})
				return nil
			}
			return err
		}
		f.peer.receive = func(ctx context.Context) (transport.Message, error) {
			f.mu.Lock()
			for len(overflow) > 0 && f.inner(overflow[0]) == nil {
				overflow = overflow[1:]
			}
			f.mu.Unlock()
			return f.peer.Channel.Receive(ctx)
		}
	}
}

func backpressureMutants() []*mutant {
	return []*mutant{
		{check: "properties", name: "does not say what it holds", fault: func(f *faulty) {
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.ReceiveBuffer = 0
				return p
			}
		}},
		{check: "buffer-full", name: "queues without limit", fault: unbounded(math.MaxInt), also: []string{"close-delivers", "close-while-sending"}},
		{check: "buffer-full", name: "declares less than it takes", fault: func(f *faulty) {
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.MaxBuffered = 20_000
				return p
			}
		}, also: []string{"amount-range", "drain-at-once"}},
		{check: "memory", name: "queues without limit", fault: unbounded(math.MaxInt), also: []string{"buffer-full", "close-delivers", "close-while-sending"}},
		{check: "memory-tiny-messages", name: "bounds bytes, not messages", fault: unbounded(1)},
		{check: "flow-resumes", name: "sleeps after a long stop", fault: func(f *faulty) {
			var full time.Time
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if stopped := time.Since(full); !full.IsZero() && stopped > 200*time.Millisecond && stopped < 10*time.Second {
					return transport.ErrBufferFull
				}
				err := f.inner(m)
				switch {
				case err == nil:
					full = time.Time{}
				case errors.Is(err, transport.ErrBufferFull) && full.IsZero():
					full = time.Now()
				}
				return err
			}
		}, timed: true},
		{check: "slow-reader", name: "sheds load", fault: func(f *faulty) {
			var last atomic.Int64
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				last.Store(time.Now().UnixNano())
				return m, err
			}
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				idle := time.Since(time.Unix(0, f.peer.lastReceive()))
				if errors.Is(err, transport.ErrBufferFull) && len(m.Data) == 48<<10 && idle > 2*time.Millisecond {
					return nil
				}
				return err
			}
			f.lastReceive = last.Load
		}, timed: true},
	}
}

func halfCloseMutants() []*mutant {
	return []*mutant{
		{check: "half-close", name: "closes both directions", fault: func(f *faulty) {
			f.closeWrite = func() error { go f.Channel.Close(); return nil }
		}, also: []string{"half-close-both"}},
		{check: "half-close", name: "does it without saying so", fault: func(f *faulty) {
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.HalfClose = false
				return p
			}
		}, also: []string{"half-close-both"}},
		{check: "half-close-both", name: "only one side may", fault: func(f *faulty) {
			var done atomic.Bool
			f.closeWrite = func() error {
				done.Store(true)
				if f.peer.endedWriting() {
					return transport.ErrUnsupported
				}
				return f.Channel.CloseWrite()
			}
			f.endedWriting = done.Load
		}},
	}
}
