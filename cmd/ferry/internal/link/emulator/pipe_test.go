package emulator_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// arrival is one delivered packet: its number, when, and its bytes.
type arrival struct {
	n    int
	at   time.Duration
	data []byte
}

// numbered is a packet of the given size that carries its number.
func numbered(n, size int) []byte {
	packet := make([]byte, size)
	binary.BigEndian.PutUint32(packet, uint32(n))
	return packet
}

// run sends count packets of size bytes through a Pipe in virtual time, one
// every gap (0: all at once), and waits for the last.
func run(t *testing.T, cfg emulator.Config, count, size int, gap time.Duration) ([]arrival, emulator.Stats) {
	t.Helper()
	var got []arrival
	var stats emulator.Stats
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p, err := emulator.New(cfg, func(packet []byte) {
			got = append(got, arrival{int(binary.BigEndian.Uint32(packet)), time.Since(start), bytes.Clone(packet)})
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range count {
			p.Send(numbered(n, size))
			if gap > 0 {
				time.Sleep(gap) // the pace of the packets, in the bubble
			}
		}
		for p.Stats().InFlight.Packets > 0 {
			time.Sleep(time.Second) // in the bubble
			synctest.Wait()
		}
		stats = p.Stats()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	in := stats.Offered.Packets + stats.Duplicated.Packets
	out := stats.Delivered.Packets + stats.Dropped().Packets
	if in != out || stats.Delivered.Packets != int64(len(got)) || stats.Offered.Packets != int64(count) {
		t.Errorf("packets are not conserved: %+v, %d seen", stats, len(got))
	}
	if stats.Offered.Bytes+stats.Duplicated.Bytes != stats.Delivered.Bytes+stats.Dropped().Bytes {
		t.Errorf("bytes are not conserved: %+v", stats)
	}
	return got, stats
}

func inOrder(got []arrival) bool {
	return slices.IsSortedFunc(got, func(a, b arrival) int { return a.n - b.n })
}

func TestTransparent(t *testing.T) {
	got, _ := run(t, emulator.Config{}, 1000, 1500, 0)
	if len(got) != 1000 || !inOrder(got) || got[999].at != 0 {
		t.Errorf("%d of 1000 packets, in order %v, last after %v", len(got), inOrder(got), got[len(got)-1].at)
	}
	for _, a := range got {
		if !bytes.Equal(a.data, numbered(a.n, 1500)) {
			t.Fatalf("packet %d was changed", a.n)
		}
	}
}

// TestRateIsExact: a saturated transmitter is never ahead of its rate nor more
// than a nanosecond a packet behind, however unround the division.
func TestRateIsExact(t *testing.T) {
	for _, rate := range []int64{56_000, 999_983, 100e6, 2_500_000_001} {
		const count, size = 5_000, 1499
		got, _ := run(t, emulator.Config{Rate: rate, Queue: count * size}, count, size, 0)
		for i, a := range got {
			want := float64(i+1) * size * 8 * 1e9 / float64(rate)
			if behind := float64(a.at) - want; behind > 0 || behind < -1 {
				t.Fatalf("at %d bit/s packet %d arrived %.1f ns off", rate, i, behind)
			}
		}
	}
}

func TestDelayIsExact(t *testing.T) {
	cfg := emulator.Config{Delay: 25 * time.Millisecond, Rate: 12e6, Queue: 15_000}
	got, _ := run(t, cfg, 100, 1500, 2*time.Millisecond) // half the rate: nothing waits
	for i, a := range got {
		if want := time.Duration(i)*2*time.Millisecond + 26*time.Millisecond; a.at != want {
			t.Fatalf("packet %d arrived at %v, want %v", i, a.at, want)
		}
	}
}

func TestQueueDropsTheTail(t *testing.T) {
	cfg := emulator.Config{Rate: 12e6, Queue: 15_000}
	got, stats := run(t, cfg, 100, 1500, 0)
	// One is being transmitted and ten wait.
	if len(got) != 11 || got[10].n != 10 || stats.DroppedQueue.Packets != 89 || stats.QueueHigh != 15_000 {
		t.Errorf("%d delivered, the last was number %d; %+v", len(got), got[len(got)-1].n, stats)
	}
}

func TestJitterKeepsOrderAndMean(t *testing.T) {
	cfg := emulator.Config{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 1}
	const gap = 100 * time.Microsecond
	got, _ := run(t, cfg, 50_000, 100, gap)
	if !inOrder(got) {
		t.Error("jitter reordered")
	}
	var sum, least, most time.Duration
	least = time.Hour
	for _, a := range got {
		d := a.at - time.Duration(a.n)*gap
		sum, least, most = sum+d, min(least, d), max(most, d)
	}
	mean := sum / time.Duration(len(got))
	if (mean-cfg.Delay).Abs() > time.Millisecond || least < 15*time.Millisecond || most > 25*time.Millisecond ||
		least > 16*time.Millisecond || most < 24*time.Millisecond {
		t.Errorf("delay %v to %v, mean %v; want 15ms to 25ms, mean 20ms", least, most, mean)
	}
}

func TestJitterReordersWhenAsked(t *testing.T) {
	cfg := emulator.Config{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, JitterReorders: true}
	if got, _ := run(t, cfg, 1000, 100, time.Millisecond); inOrder(got) {
		t.Error("in order")
	}
}

// binomial fails unless hits lies in the central 99 % interval of count trials
// (normal approximation, good for the counts used here).
func binomial(t *testing.T, what string, hits, count int64, p float64) {
	t.Helper()
	n := float64(count)
	if off := math.Abs(float64(hits)-n*p) / math.Sqrt(n*p*(1-p)); off > 2.576 {
		t.Errorf("%s: %d of %d, %.2f standard deviations from %v", what, hits, count, off, p)
	}
}

func TestProbabilities(t *testing.T) {
	const count = 100_000
	for _, p := range []float64{0.001, 0.01, 0.1} {
		_, s := run(t, emulator.Config{Loss: emulator.Loss{Good: p}, Seed: 2}, count, 40, 0)
		binomial(t, "lost", s.DroppedLoss.Packets, count, p)
	}
	const p = 0.01
	_, s := run(t, emulator.Config{
		Duplicate: p, Reorder: p, ReorderBy: time.Millisecond, Corrupt: p, Seed: 2,
	}, count, 40, 0)
	binomial(t, "duplicated", s.Duplicated.Packets, count, p)
	// A packet and its copy have one fate.
	binomial(t, "reordered", s.Reordered.Packets, s.Delivered.Packets, p)
	binomial(t, "corrupted", s.Corrupted.Packets, s.Delivered.Packets, p)
}

// TestBursts: 1 % of the packets are lost, in bursts of 8 on average.
func TestBursts(t *testing.T) {
	const count = 200_000
	loss := emulator.Loss{Bad: 1, BadToGood: 1.0 / 8, GoodToBad: 0.01 / 0.99 / 8}
	if math.Abs(loss.Mean()-0.01) > 1e-12 {
		t.Errorf("Mean is %v", loss.Mean())
	}
	got, s := run(t, emulator.Config{Loss: loss, Seed: 3}, count, 40, 0)
	bursts := 0
	for i := 1; i < len(got); i++ {
		if got[i].n != got[i-1].n+1 {
			bursts++
		}
	}
	// 250 bursts of a geometric length: nearly all such runs lie within 20 %.
	length := float64(s.DroppedLoss.Packets) / float64(bursts)
	share := float64(s.DroppedLoss.Packets) / count
	if math.Abs(length-8) > 1.6 || math.Abs(share-0.01) > 0.002 {
		t.Errorf("%.4f lost in bursts of %.2f, want 0.01 in bursts of 8", share, length)
	}
}

func TestReorder(t *testing.T) {
	cfg := emulator.Config{Delay: 10 * time.Millisecond, Reorder: 0.01, ReorderBy: 5 * time.Millisecond}
	got, s := run(t, cfg, 10_000, 100, time.Millisecond)
	held := int64(0)
	for _, a := range got {
		switch delay := a.at - time.Duration(a.n)*time.Millisecond; delay {
		case 10 * time.Millisecond:
		case 15 * time.Millisecond:
			held++
		default:
			t.Fatalf("packet %d took %v", a.n, delay)
		}
	}
	if inOrder(got) || held != s.Reordered.Packets || held == 0 {
		t.Errorf("in order %v, %d held back, counted %d", inOrder(got), held, s.Reordered.Packets)
	}
}

func TestCorruptFlipsOneBit(t *testing.T) {
	got, _ := run(t, emulator.Config{Corrupt: 1}, 1000, 64, 0)
	places := map[int]bool{}
	for i, a := range got {
		want, flipped := numbered(i, 64), 0
		for j := range want {
			if d := want[j] ^ a.data[j]; d != 0 {
				flipped += bits.OnesCount8(d)
				places[j] = true
			}
		}
		if flipped != 1 {
			t.Fatalf("packet %d: %d bits flipped", i, flipped)
		}
	}
	if len(places) < 60 {
		t.Errorf("only %d of 64 bytes were ever hit", len(places))
	}
}

func TestDuplicateTakesItsShareOfTheRate(t *testing.T) {
	got, s := run(t, emulator.Config{Duplicate: 1, Rate: 12e6, Queue: 1 << 20}, 100, 1500, 0)
	if len(got) != 200 || got[199].at != 200*time.Millisecond || s.Duplicated.Bytes != 150_000 {
		t.Errorf("%d packets, last after %v, %+v", len(got), got[len(got)-1].at, s)
	}
}

func TestOutages(t *testing.T) {
	cfg := emulator.Config{Outages: []emulator.Outage{
		{Start: 100 * time.Millisecond, Length: 50 * time.Millisecond},
		{Start: 500 * time.Millisecond, Length: 10 * time.Millisecond, Every: 100 * time.Millisecond},
	}}
	got, s := run(t, cfg, 1000, 100, time.Millisecond)
	seen := make([]bool, 1000)
	for _, a := range got {
		seen[a.n] = true
	}
	for n := range seen {
		down := n >= 100 && n < 150 || n >= 500 && n%100 < 10
		if seen[n] == down {
			t.Errorf("packet %d: arrived %v", n, seen[n])
		}
	}
	if s.DroppedOutage.Packets != 50+5*10 {
		t.Errorf("%+v", s)
	}
}

func TestMTU(t *testing.T) {
	cfg := emulator.Config{MTU: 1280}
	if got, _ := run(t, cfg, 3, 1280, 0); len(got) != 3 {
		t.Errorf("%d of 3 packets of the MTU", len(got))
	}
	if got, s := run(t, cfg, 3, 1281, 0); len(got) != 0 || s.DroppedMTU.Packets != 3 {
		t.Errorf("a larger packet arrived, or was not counted: %+v", s)
	}
}

// TestSameSeedSameDrops: a packet's fate depends on the seed and its number,
// not on the timing, nor on what else happens.
func TestSameSeedSameDrops(t *testing.T) {
	const count = 20_000
	lost := func(cfg emulator.Config, gap time.Duration) []int {
		got, _ := run(t, cfg, count, 100, gap)
		seen := make([]bool, count)
		for _, a := range got {
			seen[a.n] = true
		}
		var missing []int
		for n, ok := range seen {
			if !ok {
				missing = append(missing, n)
			}
		}
		return missing
	}
	bursty := emulator.Loss{GoodToBad: 0.01, BadToGood: 0.3, Bad: 0.7, Good: 0.001}
	first := lost(emulator.Config{Loss: bursty, Seed: 7}, 0)
	busy := emulator.Config{
		Loss: bursty, Seed: 7, Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, JitterReorders: true,
		Reorder: 0.1, ReorderBy: time.Millisecond, Rate: 1e9, Queue: 1 << 30,
	}
	if again := lost(busy, time.Microsecond); !slices.Equal(first, again) || len(first) == 0 {
		t.Errorf("%d drops, then %d others", len(first), len(again))
	}
	if other := lost(emulator.Config{Loss: bursty, Seed: 8}, 0); slices.Equal(first, other) {
		t.Error("another seed dropped the same packets")
	}
}

func TestCloseStopsDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := emulator.New(emulator.Config{Delay: time.Second}, func([]byte) { t.Error("delivered after Close") }, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Send(make([]byte, 100))
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		p.Send(make([]byte, 100))
		time.Sleep(time.Minute) // in the bubble: nothing is to come
		if s := p.Stats(); s.Offered.Packets != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]emulator.Config{
		"no queue":        {Rate: 1e6},
		"queue under MTU": {Rate: 1e6, Queue: 1499},
		"probability":     {Loss: emulator.Loss{Good: 1.01}},
		"not a number":    {Corrupt: math.NaN()},
		"endless burst":   {Loss: emulator.Loss{GoodToBad: 0.1, Bad: 1}},
		"jitter":          {Delay: time.Millisecond, Jitter: 2 * time.Millisecond},
		"reorder by 0":    {Reorder: 0.1},
		"MTU":             {MTU: 65536},
		"small MTU":       {MTU: 67},
		"rate":            {Rate: -1},
		"delay":           {Delay: -1},
		"outage":          {Outages: []emulator.Outage{{Length: 2, Every: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := emulator.New(cfg, func([]byte) {}, nil); !errors.Is(err, emulator.ErrConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}
