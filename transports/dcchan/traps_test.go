package dcchan_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

// pair is a dialled and an accepted channel with options of the test's.
func pair(t *testing.T, set func(*dcchan.Options)) (a, b *dcchan.Channel) {
	t.Helper()
	var o dcchan.Options
	set(&o)
	l, err := dcchan.Listen("127.0.0.1:0", &o)
	if err != nil {
		t.Fatal(err)
	}
	o.Pin = l.Pin()
	if a, err = dcchan.Dial(t.Context(), l.URL(), &o); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
		if err := l.Close(); err != nil {
			t.Errorf("close the listener: %v", err)
		}
	})
	return a, b
}

func push(t *testing.T, c transport.Channel, msg []byte) error {
	for {
		err := c.Send(msg)
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		if err := transport.Drain(t.Context(), c, c.BufferedAmount()/2); err != nil {
			return err
		}
	}
}

// With pion's own receive buffer this delivers nothing, ever: it fills with
// incomplete messages. See RFC 8260.
func TestManyChannelsAtOnce(t *testing.T) {
	const channels, messages, size = 32, 16, 64 << 10
	as, bs, err := dcchan.ManyPair(t.Context(), channels)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range channels {
		wg.Go(func() {
			msg := make([]byte, size)
			for range messages {
				if err := push(t, as[i], msg); err != nil {
					t.Errorf("channel %d: %v", i, err)
				}
			}
		})
		wg.Go(func() {
			for j := range messages {
				if m, err := bs[i].Receive(t.Context()); err != nil || len(m.Data) != size {
					t.Errorf("channel %d, message %d: %d bytes, %v", i, j, len(m.Data), err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range channels {
		wg.Go(func() { as[i].Close() })
		wg.Go(func() { bs[i].Close() })
	}
	wg.Wait()
}

// pion sends no word when its reader goes on, and by itself asks again after a
// time that doubles.
func TestPausedReceiver(t *testing.T) {
	t.Parallel()
	const pause, size = 8 * time.Second, 48 << 10
	total := 2 * (dcchan.ReceiveBuffer + dcchan.DefaultMaxBuffered) / size
	a, b := pair(t, func(*dcchan.Options) {})
	sent := make(chan error, 1)
	go func() {
		for range total {
			if err := push(t, a, make([]byte, size)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	time.Sleep(pause)
	read := time.Now()
	var longest time.Duration
	for range total {
		if _, err := b.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(read))
		read = time.Now()
	}
	if longest > 2*time.Second {
		t.Errorf("the flow stood still for %v after the pause", longest)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// pion has one callback on the way down through one threshold; here many wait
// for different levels, some of them reached before they ask.
func TestDrainToManyLevels(t *testing.T) {
	a, b := pair(t, func(*dcchan.Options) {})
	go func() {
		for {
			if _, err := b.Receive(t.Context()); err != nil {
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for range 20 {
		for range 12 {
			if err := push(t, a, make([]byte, 48<<10)); err != nil {
				t.Fatal(err)
			}
			if err := a.Send(nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, low := range []int{0, 0, 1, 48 << 10, 100_000, 400_000, 1 << 30} {
			wg.Go(func() {
				if err := transport.Drain(t.Context(), a, low); err != nil {
					t.Errorf("Drain to %d: %v", low, err)
				}
			})
		}
		if err := transport.Drain(t.Context(), a, 200_000); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if got := a.BufferedAmount(); got != 0 {
		t.Errorf("%d bytes buffered at the end", got)
	}
}

// The count starts at 0, though pion has counted the opening, with its label.
func TestAmountBesideTheOpening(t *testing.T) {
	a, b := pair(t, func(o *dcchan.Options) { o.Label = "a label of some length" })
	for side, c := range map[string]*dcchan.Channel{"dialled": a, "accepted": b} {
		if got := c.Properties().Label; got != "a label of some length" {
			t.Errorf("%s: label %q", side, got)
		}
		if got := c.BufferedAmount(); got != 0 {
			t.Errorf("%s: %d bytes buffered before the first message", side, got)
		}
		for range 10 {
			if err := c.Send(nil); err != nil {
				t.Fatal(err)
			}
			if got := c.BufferedAmount(); got != 0 {
				t.Errorf("%s: %d bytes buffered after empty messages", side, got)
			}
		}
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	a, b := pair(t, func(*dcchan.Options) {})
	go func() {
		for {
			if _, err := b.Receive(t.Context()); err != nil {
				return
			}
		}
	}()
	raw := a.DataChannel()
	msg := make([]byte, 1)
	for range 100 { // the ledger has its size
		if err := a.Send(msg); err != nil {
			t.Fatal(err)
		}
	}
	measure := func(send func() error) float64 {
		if err := transport.Drain(t.Context(), a, 0); err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(50, func() {
			if err := send(); err != nil {
				t.Error(err)
			}
		})
	}
	ours := measure(func() error { return a.Send(msg) })
	pions := measure(func() error { return raw.Send(msg) })
	if ours > pions+1 {
		t.Errorf("Send allocates %v times, pion %v times", ours, pions)
	}
}
