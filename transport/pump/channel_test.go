package pump

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

var testConfig = Config{Properties: transport.Properties{MaxMessageSize: 1 << 20, HalfClose: true}}

// bubble runs f on two ends of a wire that holds size frames each way. All
// goroutines of the channels must have ended with it.
func bubble(t *testing.T, size int, f func(t *testing.T, a, b *Channel)) {
	synctest.Test(t, func(t *testing.T) {
		wa, wb := newWires(size)
		f(t, New(wa, testConfig), New(wb, testConfig))
	})
}

func wireOf(c *Channel) *wire { return c.carrier.(*wire) }

func number(n int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func sendNumbers(t *testing.T, ch *Channel, n int) {
	t.Helper()
	for i := range n {
		if err := ch.Send(number(i)); err != nil {
			t.Fatalf("send %d: %v", i, err)
		}
	}
}

func receiveNumbers(t *testing.T, ch *Channel, n int) {
	t.Helper()
	for i := range n {
		m, err := ch.Receive(t.Context())
		if err != nil || !slices.Equal(m.Data, number(i)) {
			t.Fatalf("receive %d: %v, %v", i, m.Data, err)
		}
	}
}

func wantReceive(t *testing.T, ch *Channel, want error) {
	t.Helper()
	for range 2 { // again and again
		if m, err := ch.Receive(t.Context()); !errors.Is(err, want) {
			t.Errorf("receive: %v, %v, want %v", m.Data, err, want)
		}
	}
}

func wantState(t *testing.T, ch *Channel, want transport.State) {
	t.Helper()
	if got := ch.ReadyState(); got != want {
		t.Errorf("state %v, want %v", got, want)
	}
}

// begin calls Close and returns where its result comes.
func begin(ch *Channel) <-chan error {
	done := make(chan error, 1)
	go func() { done <- ch.Close() }()
	return done
}

func TestCloseDeliversToASlowReader(t *testing.T) {
	bubble(t, 3, func(t *testing.T, a, b *Channel) {
		const n = 5 * InboxSize / (64 << 10)
		for i := range n {
			if err := a.Send(append(number(i), make([]byte, 64<<10)...)); err != nil {
				t.Fatal(err)
			}
		}
		done := begin(a)
		synctest.Wait()
		wantState(t, a, transport.StateClosing)
		if err := a.Send(nil); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("send after close: %v", err)
		}
		wantReceive(t, a, transport.ErrClosed)
		for i := range n {
			time.Sleep(DefaultCloseTimeout * 9 / 10)
			m, err := b.Receive(t.Context())
			if err != nil || !slices.Equal(m.Data[:8], number(i)) {
				t.Fatalf("receive %d: %v", i, err)
			}
		}
		wantReceive(t, b, io.EOF)
		if err := <-done; err != nil {
			t.Errorf("close: %v", err)
		}
		synctest.Wait()
		wantState(t, a, transport.StateClosed)
		wantState(t, b, transport.StateClosed)
		for _, w := range []*wire{wireOf(a), wireOf(b)} {
			if cause := <-w.causes; cause != nil {
				t.Errorf("carrier closed with %v", cause)
			}
		}
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Errorf("close again: %v", err)
		}
	})
}

func TestCloseBothSides(t *testing.T) {
	for _, queued := range []int{0, 1, 1000} {
		t.Run(fmt.Sprint(queued), func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, a, b *Channel) {
				sendNumbers(t, a, queued)
				sendNumbers(t, b, queued)
				first, second := begin(a), begin(b)
				for _, err := range []error{<-first, <-second} {
					if err != nil && (queued == 0 || !errors.Is(err, transport.ErrUndelivered)) {
						t.Errorf("close: %v", err)
					}
				}
				if a.BufferedAmount() != 0 || b.BufferedAmount() != 0 {
					t.Error("something is still buffered")
				}
			})
		})
	}
}

func TestCloseTellsWhatThePeerDidNotTake(t *testing.T) {
	bubble(t, 0, func(t *testing.T, a, b *Channel) {
		fill := make([]byte, 1<<20)
		for range 4 { // beyond b's inbox: the rest stays in a's queue
			if err := a.Send(fill); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Errorf("close of the reader: %v", err)
		}
		if err := a.Close(); err != nil && !errors.Is(err, transport.ErrUndelivered) {
			t.Errorf("close of the writer: %v", err)
		}
	})
}

func TestCloseGivesUpWithoutProgress(t *testing.T) {
	bubble(t, 1, func(t *testing.T, a, b *Channel) {
		fill := make([]byte, 1<<20)
		for range 6 {
			if err := a.Send(fill); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		done := begin(a)
		for range 3 { // progress, though slow
			time.Sleep(DefaultCloseTimeout * 3 / 4)
			if _, err := b.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		stalled := time.Since(start)
		err := <-done
		if !errors.Is(err, transport.ErrUndelivered) || !errors.Is(err, transport.ErrPeerGone) {
			t.Errorf("close: %v", err)
		}
		if waited := time.Since(start) - stalled; waited < DefaultCloseTimeout || waited > 2*DefaultCloseTimeout {
			t.Errorf("gave up %v after the last progress", waited)
		}
		wantState(t, a, transport.StateClosed)
		for range 3 { // what had arrived
			if _, err := b.Receive(t.Context()); errors.Is(err, transport.ErrAborted) {
				break
			}
		}
		wantReceive(t, b, transport.ErrAborted)
		b.Close()
	})
}

func TestPeerThatNeverAnswersTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wa, _ := newWires(8) // the other end takes what fits and says nothing
		a := New(wa, testConfig)
		sendNumbers(t, a, 3)
		start := time.Now()
		if err := a.Close(); !errors.Is(err, transport.ErrUndelivered) {
			t.Errorf("close: %v", err)
		}
		if waited := time.Since(start); waited < DefaultCloseTimeout || waited > 2*DefaultCloseTimeout {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestAbort(t *testing.T) {
	bubble(t, 8, func(t *testing.T, a, b *Channel) {
		sendNumbers(t, a, 3)
		synctest.Wait()
		waiting := make(chan error, 2)
		go func() { _, err := a.Receive(t.Context()); waiting <- err }()
		go func() { waiting <- a.Drain(t.Context(), -1) }()
		synctest.Wait()
		if err := a.Abort(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-waiting; !errors.Is(err, transport.ErrClosed) {
				t.Errorf("a waiting call returned %v", err)
			}
		}
		wantState(t, a, transport.StateClosed)
		if cause := <-wireOf(a).causes; !errors.Is(cause, transport.ErrAborted) {
			t.Errorf("carrier closed with %v", cause)
		}
		receiveNumbers(t, b, 3)
		wantReceive(t, b, transport.ErrAborted)
		wantState(t, b, transport.StateClosed)
		if err := b.Send(nil); !errors.Is(err, transport.ErrClosed) || !errors.Is(err, errReset) {
			t.Errorf("send: %v", err)
		}
		if err := b.Close(); !errors.Is(err, transport.ErrUndelivered) {
			t.Errorf("close of the survivor: %v", err)
		}
	})
}

func TestAbortWhileTheWriterIsBlocked(t *testing.T) {
	bubble(t, 0, func(t *testing.T, a, b *Channel) {
		for range 4 {
			if err := a.Send(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		a.Abort()
		if a.BufferedAmount() != 0 {
			t.Errorf("%d bytes still buffered", a.BufferedAmount())
		}
		b.Abort()
	})
}

// A peer that has closed and gone leaves its messages and its end mark, and
// our next write fails.
func TestWriteFailsBeforeTheEndMarkIsRead(t *testing.T) {
	for _, pause := range []time.Duration{0, DefaultCloseTimeout * 9 / 10} {
		t.Run(pause.String(), func(t *testing.T) {
			bubble(t, 8, func(t *testing.T, a, b *Channel) {
				const inboxes = 3 * InboxSize / (64 << 10)
				go func() {
					for i := range inboxes {
						b.Send(append(number(i), make([]byte, 64<<10)...))
					}
					b.Close()
				}()
				synctest.Wait() // a's inbox is full
				close(wireOf(a).broken)
				if err := a.Send(number(1)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := a.Send(nil); !errors.Is(err, transport.ErrClosed) {
					t.Errorf("send after a failed write: %v", err)
				}
				for i := range inboxes {
					time.Sleep(pause)
					m, err := a.Receive(t.Context())
					if err != nil || !slices.Equal(m.Data[:8], number(i)) {
						t.Fatalf("receive %d: %v", i, err)
					}
				}
				wantReceive(t, a, io.EOF)
				if err := a.Close(); !errors.Is(err, transport.ErrUndelivered) {
					t.Errorf("close: %v", err)
				}
				b.Abort()
			})
		})
	}
}

func TestWriteFailsAndNothingIsRead(t *testing.T) {
	bubble(t, 8, func(t *testing.T, a, b *Channel) {
		synctest.Wait() // a's reader waits
		close(wireOf(a).broken)
		start := time.Now()
		if err := a.Send(number(1)); err != nil {
			t.Fatal(err)
		}
		wantReceive(t, a, transport.ErrAborted)
		if waited := time.Since(start); waited != readGrace {
			t.Errorf("noticed after %v", waited)
		}
		wantState(t, a, transport.StateClosed)
		a.Close()
		b.Close()
	})
}

// Who learns of a death from Send finds the channel closed.
func TestPeerGoneAtTheWriter(t *testing.T) {
	bubble(t, 8, func(t *testing.T, a, b *Channel) {
		sendNumbers(t, b, 3)
		synctest.Wait()
		wireOf(a).breaks = fmt.Errorf("wire: %w", transport.ErrPeerGone)
		close(wireOf(a).broken)
		for a.Send(nil) == nil {
			synctest.Wait()
		}
		wantState(t, a, transport.StateClosed)
		receiveNumbers(t, a, 3)
		wantReceive(t, a, transport.ErrPeerGone)
		a.Close()
		b.Close()
	})
}

func TestDeathWithAFullInbox(t *testing.T) {
	bubble(t, 4, func(t *testing.T, a, b *Channel) {
		const size = 64 << 10
		sent := 0
		for a.Send(make([]byte, size)) == nil {
			sent++
		}
		synctest.Wait()
		arrived := sent - a.BufferedAmount()/size
		if held := arrived * size; held < InboxSize || held > InboxSize+8*size {
			t.Errorf("%d bytes have arrived at a reader that does not read", held)
		}
		a.Abort()
		synctest.Wait()
		got := 0
		for {
			if _, err := b.Receive(t.Context()); err != nil {
				break
			}
			got++
		}
		wantReceive(t, b, transport.ErrAborted)
		// The message being written when a died may be on either side.
		if got < arrived || got > arrived+1 {
			t.Errorf("received %d messages of %d", got, arrived)
		}
		b.Close()
	})
}

func TestCloseWithAFullInbox(t *testing.T) {
	bubble(t, 4, func(t *testing.T, a, b *Channel) {
		for a.Send(make([]byte, 64<<10)) == nil {
		}
		synctest.Wait()
		done := begin(b)
		if err := <-done; err != nil {
			t.Errorf("close: %v", err)
		}
		if err := a.Close(); !errors.Is(err, transport.ErrUndelivered) {
			t.Errorf("close of a sender whose peer closed: %v", err)
		}
	})
}

func TestHalfClose(t *testing.T) {
	bubble(t, 4, func(t *testing.T, a, b *Channel) {
		sendNumbers(t, a, 10)
		if err := transport.CloseWrite(a); err != nil {
			t.Fatal(err)
		}
		if err := a.Send(nil); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("send after CloseWrite: %v", err)
		}
		receiveNumbers(t, b, 10)
		wantReceive(t, b, io.EOF)
		wantState(t, b, transport.StateOpen)
		sendNumbers(t, b, 10)
		receiveNumbers(t, a, 10)
		done := begin(b)
		wantReceive(t, a, io.EOF)
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestReceiveContextLosesNothing(t *testing.T) {
	bubble(t, 4, func(t *testing.T, a, b *Channel) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		sendNumbers(t, a, 5)
		synctest.Wait()
		if _, err := b.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		receiveNumbers(t, b, 5)
		begin(a)
		b.Close()
	})
}

func TestDrain(t *testing.T) {
	bubble(t, 0, func(t *testing.T, a, b *Channel) {
		const size = 1 << 20
		for range 8 {
			if err := a.Send(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		type result struct {
			low, amount int
		}
		results := make(chan result, 3)
		for _, low := range []int{4 * size, 0, 2 * size} {
			go func() {
				if err := a.Drain(t.Context(), low); err != nil {
					t.Error(err)
				}
				results <- result{low, a.BufferedAmount()}
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error, 1)
		go func() { cancelled <- a.Drain(ctx, 0) }()
		synctest.Wait()
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 8 {
			if _, err := b.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for _, low := range []int{4 * size, 2 * size, 0} {
			if r := <-results; r.low != low || r.amount > low {
				t.Errorf("woke %+v, want low %d", r, low)
			}
		}
		begin(a)
		b.Close()
	})
}

func TestManyTinyMessagesAreBounded(t *testing.T) {
	for _, size := range []int{0, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, 4, func(t *testing.T, a, b *Channel) {
				sent := 0
				for {
					err := a.Send(make([]byte, size))
					if errors.Is(err, transport.ErrBufferFull) {
						synctest.Wait()
						if err = a.Send(make([]byte, size)); err != nil {
							break
						}
					}
					sent++
				}
				limit := InboxSize/entryCost + DefaultMaxBuffered/64 + 8
				if sent > limit {
					t.Errorf("accepted %d messages for a reader that does not read, limit %d", sent, limit)
				}
				for i := range sent {
					m, err := b.Receive(t.Context())
					if err != nil || len(m.Data) != size {
						t.Fatalf("receive %d of %d: %d bytes, %v", i, sent, len(m.Data), err)
					}
				}
				begin(a)
				b.Close()
			})
		})
	}
}
