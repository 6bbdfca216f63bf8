package transporttest

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func amountMutants() []*mutant {
	return []*mutant{
		{check: "amount-exact", name: "counts a byte of framing", fault: func(f *faulty) {
			f.amount = func() int {
				n := f.Channel.BufferedAmount()
				if n > 0 {
					n++
				}
				return n
			}
		}, also: []string{"drain-level", "amount-range", "buffer-full"}},
		{check: "amount-exact", name: "counts nothing", fault: func(f *faulty) {
			f.amount = func() int { return 0 }
		}, also: []string{"drain-at-once", "drain-level"}},
		{check: "amount-range", name: "is below zero after traffic both ways", fault: func(f *faulty) {
			var sent, received atomic.Bool
			f.send = func(m transport.Message) error { sent.Store(true); return f.inner(m) }
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				received.Store(received.Load() || len(m.Data) == 16<<10)
				return m, err
			}
			f.amount = func() int {
				n := f.Channel.BufferedAmount()
				if n == 0 && sent.Load() && received.Load() {
					return -1
				}
				return n
			}
		}},
		{check: "amount-empty", name: "counts empty messages as a byte", fault: func(f *faulty) {
			var empty atomic.Int32
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if err == nil && len(m.Data) == 0 {
					empty.Add(1)
				}
				return err
			}
			f.amount = func() int { return f.Channel.BufferedAmount() + int(empty.Load()) }
		}},
		{check: "amount-refused", name: "counts what is too large", fault: func(f *faulty) {
			var wrong atomic.Int64
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if errors.Is(err, transport.ErrTooLarge) {
					wrong.Add(int64(len(m.Data)))
				}
				return err
			}
			f.amount = func() int { return f.Channel.BufferedAmount() + int(wrong.Load()) }
		}},
		{check: "amount-refused", name: "counts what finds no room", fault: func(f *faulty) {
			var wrong atomic.Int64
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if errors.Is(err, transport.ErrBufferFull) && len(m.Data) == 16<<10 {
					wrong.Add(int64(len(m.Data)))
				}
				return err
			}
			f.amount = func() int { return f.Channel.BufferedAmount() + int(wrong.Load()) }
		}, also: append([]string{"amount-range"}, stalling...)},
		{check: "amount-idle", name: "keeps the last byte", fault: func(f *faulty) {
			var sent atomic.Bool
			f.send = func(m transport.Message) error {
				if len(m.Data) > 0 {
					sent.Store(true)
				}
				return f.inner(m)
			}
			f.amount = func() int {
				n := f.Channel.BufferedAmount()
				if n == 0 && sent.Load() {
					return 1
				}
				return n
			}
		}, also: []string{"drain-zero", "amount-refused"}},
	}
}

func concurrencyMutants() []*mutant {
	return []*mutant{
		{check: "many-senders", name: "loses a message when two are sent at once", fault: func(f *faulty) {
			var inside atomic.Int32
			f.send = func(m transport.Message) error {
				alone := inside.Add(1) == 1
				defer inside.Add(-1)
				runtime.Gosched()
				if !alone {
					return nil
				}
				return f.inner(m)
			}
		}, also: []string{"close-while-sending"}},
		{check: "methods-at-once", name: "SendText waits for a lock that Drain holds", fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.Channel.Drain(ctx, low)
			}
			f.send = func(m transport.Message) error {
				if m.Text {
					f.mu.Lock()
					defer f.mu.Unlock()
				}
				return f.inner(m)
			}
		}, also: []string{"drain-together"}},
		{check: "both-directions", name: "half duplex", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.Channel.Receive(ctx)
			}
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.inner(m)
			}
		}, also: []string{"echo", "amount-range", "methods-at-once", "close-in-receive-loop"}},
		{check: "echo", name: "reads only when it has little to send", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				if _ = f.Channel.Drain(ctx, 10_000); ctx.Err() != nil {
					return transport.Message{}, ctx.Err()
				}
				return f.Channel.Receive(ctx)
			}
		}, also: []string{"amount-range", "both-directions", "abort-here", "methods-at-once"}},
	}
}

func receiveMutants() []*mutant {
	return []*mutant{
		{check: "receive-cancel", name: "a cancelled context ends the channel", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if err != nil && ctx.Err() != nil {
					_ = f.Channel.Abort()
				}
				return m, err
			}
		}, also: []string{"receive-cancel-race", "receive-done-context", "drain-level", "drain-cycles", "close-in-receive-loop", "echo"}},
		{check: "receive-cancel-race", name: "a message that meets a cancelled context is lost", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if err == nil && len(m.Data) == 100 {
					pause(context.Background(), 100*time.Microsecond)
					if ctx.Err() != nil {
						return transport.Message{}, ctx.Err()
					}
				}
				return m, err
			}
		}},
		{check: "receive-done-context", name: "a done context takes a message along", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				if ctx.Err() != nil {
					short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
					defer cancel()
					_, _ = f.Channel.Receive(short)
				}
				return f.Channel.Receive(ctx)
			}
		}, also: []string{"receive-cancel-race"}},
		{check: "receive-late", name: "loses what nobody waited for", fault: func(f *faulty) {
			start, first := time.Now(), true
			f.receive = func(ctx context.Context) (transport.Message, error) {
				for first && time.Since(start) > 200*time.Millisecond {
					short, cancel := context.WithTimeout(ctx, time.Millisecond)
					_, err := f.Channel.Receive(short)
					cancel()
					if err != nil {
						break
					}
				}
				first = false
				return f.Channel.Receive(ctx)
			}
		}, timed: true},
	}
}

func drainMutants() []*mutant {
	return []*mutant{
		{check: "drain-at-once", name: "waits for an edge", fault: func(f *faulty) {
			var sent atomic.Bool
			f.send = func(m transport.Message) error { sent.Store(true); return f.inner(m) }
			f.drain = func(ctx context.Context, low int) error {
				if !sent.Load() && f.Channel.ReadyState() == transport.StateOpen {
					<-ctx.Done()
				}
				return f.Channel.Drain(ctx, low)
			}
		}},
		{check: "drain-zero", name: "is content with little", fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error { return f.Channel.Drain(ctx, max(low, 40_000)) }
		}, also: []string{"drain-level"}},
		{check: "drain-level", name: "waits for the last byte", fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error {
				if f.Channel.BufferedAmount() <= low {
					low = math.MaxInt
				} else {
					low = 0
				}
				return f.Channel.Drain(ctx, low)
			}
		}},
		{check: "drain-cycles", name: "loses one wake-up in a thousand", fault: func(f *faulty) {
			var n atomic.Int32
			f.drain = func(ctx context.Context, low int) error {
				if low == 0 && n.Add(1)%1000 == 0 {
					<-ctx.Done()
				}
				return f.Channel.Drain(ctx, low)
			}
		}},
		{check: "drain-together", name: "knows one waiter only", fault: func(f *faulty) {
			var waiting atomic.Int32
			f.drain = func(ctx context.Context, low int) error {
				defer waiting.Add(-1)
				if waiting.Add(1) > 1 && f.Channel.BufferedAmount() > low {
					<-ctx.Done()
				}
				return f.Channel.Drain(ctx, low)
			}
		}, also: []string{"methods-at-once", "many-senders", "close-while-sending"}},
		{check: "drain-cancel", name: "a done context looks like success", fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error {
				err := f.Channel.Drain(ctx, low)
				if ctx.Err() != nil {
					err = nil
				}
				return err
			}
		}},
		{check: "drain-closed", name: "a closed channel has room", fault: func(f *faulty) {
			f.drain = func(ctx context.Context, low int) error {
				if f.Channel.ReadyState() != transport.StateOpen {
					return nil
				}
				return f.Channel.Drain(ctx, low)
			}
		}, also: []string{"abort-peer", "abort-here", "cut-idle", "cut-sending", "cut-drain"}},
	}
}

func endMutants() []*mutant {
	return []*mutant{
		{check: "eof", name: "the end overtakes the last text", fault: edits(func(m transport.Message) *transport.Message {
			if string(m.Data) == "the last words" {
				return nil
			}
			return &m
		})},
		{check: "eof", name: "the end looks like a failure", fault: func(f *faulty) {
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, io.EOF) {
					err = transport.ErrAborted
				}
				return m, err
			}
		}, also: []string{"eof-again", "eof-unread", "send-after-eof", "close-delivers", "close-while-sending", "state-forward",
			"state-closed", "drain-closed", "half-close", "half-close-both"}},
		{check: "eof-again", name: "says the end only once", fault: func(f *faulty) {
			said := false
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, io.EOF) {
					if said {
						return m, transport.ErrClosed
					}
					said = true
				}
				return m, err
			}
		}},
		{check: "eof-unread", name: "the end discards what was not read", fault: func(f *faulty) {
			first := true
			f.receive = func(ctx context.Context) (transport.Message, error) {
				for first && f.Channel.ReadyState() == transport.StateClosing {
					if _, err := f.Channel.Receive(ctx); err != nil {
						return transport.Message{}, err
					}
				}
				first = false
				return f.Channel.Receive(ctx)
			}
		}, also: []string{"eof", "close-delivers", "close-while-sending", "half-close", "half-close-both"}},
		{check: "send-after-eof", name: "sends into nothing", fault: func(f *faulty) {
			var ended atomic.Bool
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if errors.Is(err, io.EOF) {
					ended.Store(true)
				}
				return m, err
			}
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if ended.Load() && errors.Is(err, transport.ErrClosed) {
					return nil
				}
				return err
			}
		}, also: []string{"half-close-both"}},
	}
}
