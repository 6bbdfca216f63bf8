package memchan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, memchan.Pair, nil)
}

func BenchmarkChannel(b *testing.B) {
	transporttest.Bench(b, memchan.Pair)
}

func TestLatencyIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memchan.New(&memchan.Options{Latency: 50 * time.Millisecond, Rate: 1000})
		start := time.Now()
		for range 3 {
			if err := a.Send(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			if _, err := b.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := 50*time.Millisecond + time.Duration(i+1)*100*time.Millisecond
			if got := time.Since(start); got != want {
				t.Errorf("message %d arrived after %v, want %v", i, got, want)
			}
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if got, want := time.Since(start), 400*time.Millisecond; got != want {
			t.Errorf("closed after %v, want %v", got, want)
		}
		if _, err := b.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Receive = %v, want io.EOF", err)
		}
	})
}

func TestDrainWakesWhenTheLevelIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := memchan.New(&memchan.Options{Rate: 1000})
		start := time.Now()
		for range 10 {
			if err := a.Send(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			low  int
			want time.Duration
		}{{1000, 0}, {550, 500 * time.Millisecond}, {0, time.Second}} {
			if err := a.Drain(t.Context(), tt.low); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != tt.want {
				t.Errorf("Drain to %d returned after %v, want %v", tt.low, got, tt.want)
			}
		}
	})
}

func TestCutIsNoticedAfterDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memchan.New(&memchan.Options{DeadPeer: 7 * time.Second})
		start := time.Now()
		a.Cut()
		for _, ch := range []*memchan.Channel{a, b} {
			if _, err := ch.Receive(t.Context()); !errors.Is(err, transport.ErrPeerGone) || !errors.Is(err, transport.ErrAborted) {
				t.Errorf("Receive = %v, want ErrAborted and ErrPeerGone", err)
			}
		}
		if got := time.Since(start); got != 7*time.Second {
			t.Errorf("noticed after %v, want 7s", got)
		}
	})
}

func TestCloseGivesUpAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memchan.New(&memchan.Options{Latency: time.Millisecond, MaxMessageSize: 70_000, ReceiveBuffer: 70_000})
		for range 2 {
			if err := a.Send(make([]byte, 60_000)); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := a.Close(); !errors.Is(err, transport.ErrUndelivered) {
			t.Errorf("Close = %v, want ErrUndelivered", err)
		}
		if got, want := time.Since(start), 10*time.Second+time.Millisecond; got != want {
			t.Errorf("Close returned after %v, want %v", got, want)
		}
		if _, err := b.Receive(t.Context()); err != nil {
			t.Errorf("the message that had arrived: %v", err)
		}
		if _, err := b.Receive(t.Context()); !errors.Is(err, transport.ErrAborted) {
			t.Errorf("Receive = %v, want ErrAborted", err)
		}
	})
}

func TestSeedRepeatsLossAndOrder(t *testing.T) {
	run := func(seed uint64) string {
		a, b := memchan.New(&memchan.Options{Loss: 0.3, Unordered: true, Seed: seed})
		for i := range 100 {
			if err := a.Send([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		go a.Close()
		var got []byte
		for {
			m, err := b.Receive(t.Context())
			if err != nil {
				return string(got)
			}
			got = append(got, m.Data...)
		}
	}
	first := run(1)
	if again := run(1); again != first {
		t.Errorf("seed 1 gave %x, then %x", first, again)
	}
	if other := run(2); other == first {
		t.Error("seeds 1 and 2 gave the same")
	}
	if n := len(first); n < 50 || n > 90 {
		t.Errorf("%d of 100 messages arrived at 30 %% loss", n)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	a, b := memchan.New(nil)
	msg := make([]byte, 48<<10)
	ctx := t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		if err := a.Send(msg); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Receive(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per message, want 0", allocs)
	}
}

func Example() {
	ctx := context.Background()
	a, b, err := memchan.Pair(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := a.Send([]byte("hello")); err != nil {
		fmt.Println(err)
	}
	go a.Close()
	for {
		m, err := b.Receive(ctx)
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s\n", m.Data)
	}
	// Output:
	// hello
	// EOF
}

func ExampleNew() {
	a, b := memchan.New(&memchan.Options{Label: "camera", Latency: time.Millisecond, Loss: 0.1, Seed: 1})
	defer b.Close()
	defer a.Close()
	p := a.Properties()
	fmt.Println(p.Label, p.Ordered, p.Reliable, p.Buffered)
	// Output: camera true false until received
}
