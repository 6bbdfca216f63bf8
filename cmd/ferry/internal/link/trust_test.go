//go:build e2e

package link_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// The tests of this file tell whether results over an emulated link mean
// something. They measure in real time on whatever else the machine does, so
// each measurement may be repeated; the bounds stay. Run them alone: make trust.

// attempts measures until measure returns no complaint, at most three times, and
// waits for a calm moment in between.
func attempts(t *testing.T, measure func(t *testing.T) (complaint string)) {
	t.Helper()
	var complaints []string
	for range 3 {
		c := measure(t)
		if c == "" {
			return
		}
		t.Log("once more:", c)
		complaints = append(complaints, c)
		calm()
	}
	t.Errorf("three times: %q", complaints)
}

// calm returns when the machine lets a sleeper wake in time, after 15 s at the latest.
func calm() {
	for begin := time.Now(); time.Since(begin) < 15*time.Second; {
		punctual := true
		for range 200 {
			start := time.Now()
			time.Sleep(time.Millisecond) // how late it wakes is what is asked
			punctual = punctual && time.Since(start) < 5*time.Millisecond
		}
		if punctual {
			return
		}
	}
}

// span is d, or half of it in a short run.
func span(d time.Duration) time.Duration {
	if testing.Short() {
		return d / 2
	}
	return d
}

// flows sends over count TCP connections from the client to the server until the
// test's network closes, and counts the payload that arrives.
func flows(t *testing.T, n *link.Network, count int) *atomic.Int64 {
	t.Helper()
	var arrived atomic.Int64
	for range count {
		c, s := connect(t, n)
		go io.Copy(c, zeros{})
		go io.Copy(&counter{&arrived}, s)
	}
	return &arrived
}

// zeros is an endless source, counter a sink. Neither has a fast path to hide in.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type counter struct{ n *atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// windows are the rates, in Mbit/s and sorted, of count stretches of half a
// second. What else the machine does spoils some of them: a TCP needs seconds to
// recover from a pause of the process. The upper quartile is a link left alone.
func windows(arrived *atomic.Int64, count int) []float64 {
	rates := make([]float64, count)
	before, start := arrived.Load(), time.Now()
	for i := range rates {
		time.Sleep(500 * time.Millisecond) // the stretch that is measured
		after, now := arrived.Load(), time.Now()
		rates[i] = float64(after-before) * 8 / now.Sub(start).Seconds() / 1e6
		before, start = after, now
	}
	slices.Sort(rates)
	return rates
}

// ping measures round trips of small UDP packets, one every interval, for d, in
// the order of the answers.
func ping(n *link.Network, interval, d time.Duration) ([]time.Duration, error) {
	c, err := n.Client().ListenPacket(0)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, err := n.Server().ListenPacket(0)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	go func() {
		buf := make([]byte, 64)
		for {
			k, from, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			s.WriteTo(buf[:k], from)
		}
	}()
	start := time.Now()
	var sender sync.WaitGroup
	sender.Go(func() {
		buf := make([]byte, 8)
		for next := time.Duration(0); next < d; next += interval {
			time.Sleep(next - time.Since(start))
			binary.BigEndian.PutUint64(buf, uint64(time.Since(start)))
			c.WriteTo(buf, s.LocalAddr())
		}
	})
	defer sender.Wait()
	var trips []time.Duration
	c.SetReadDeadline(start.Add(d + 500*time.Millisecond))
	buf := make([]byte, 64)
	for {
		if _, _, err := c.ReadFrom(buf); err != nil {
			break
		}
		trips = append(trips, time.Since(start)-time.Duration(binary.BigEndian.Uint64(buf)))
	}
	if len(trips) == 0 {
		return nil, errors.New("no answer")
	}
	return trips, nil
}

func mean(d []time.Duration) time.Duration {
	var sum time.Duration
	for _, x := range d {
		sum += x
	}
	return sum / time.Duration(len(d))
}

// TestSquareRootLaw: the rate of TCP Reno under independent losses of
// probability p is C * MSS / (RTT * sqrt(p)) (Mathis, Semke, Mahdavi, Ott 1997,
// The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm).
//
// C is sqrt(3/2): in congestion avoidance both stacks add to the window what
// was acknowledged (tcp_cong_avoid_ai in Linux, updateCongestionAvoidance in
// gVisor), one segment per window, so that it does not matter whether the
// receiver delays acknowledgements; a sender that counts acknowledgements
// instead would have sqrt(3/4) with a delaying receiver. The round trip is the
// one measured meanwhile.
func TestSquareRootLaw(t *testing.T) {
	const mss = 1448 // 1500 - 20 (IP) - 20 (TCP) - 12 (timestamps)
	at := []struct {
		percent float64
		flows   int
	}{{0.1, 8}, {0.5, 12}, {1, 16}}
	eachKind(t, func(t *testing.T, kind link.Kind) {
		seed := uint64(0)
		attempts(t, func(t *testing.T) string {
			seed++
			complaints := make([]string, len(at))
			var runs sync.WaitGroup
			for i, p := range at {
				n := open(t, fmt.Sprintf("rtt=50ms,loss=%g%%/0%%", p.percent), kind, seed, &link.Options{
					CongestionControl: "reno",
					TCPBuffer:         512 << 10, // far above the windows of the law: bounds the first slow start
				})
				defer n.Close()
				arrived := flows(t, n, p.flows)
				runs.Go(func() {
					time.Sleep(span(4 * time.Second)) // out of slow start
					before, start := arrived.Load(), time.Now()
					trips, err := ping(n, 10*time.Millisecond, span(10*time.Second))
					if err != nil {
						complaints[i] = err.Error()
						return
					}
					rate, rtt := float64(arrived.Load()-before)/time.Since(start).Seconds(), mean(trips)
					ratio := rate / (float64(p.flows) * math.Sqrt(1.5) * mss / rtt.Seconds() / math.Sqrt(p.percent/100))
					up, _ := n.Stats()
					t.Logf("%g %% lost: %.2f of the law (%.1f Mbit/s, rtt %v, %d losses, max late %v)",
						p.percent, ratio, rate*8/1e6, rtt, up.DroppedLoss.Packets, up.MaxLate)
					if ratio < 0.75 || ratio > 1.25 {
						complaints[i] = fmt.Sprintf("%.2f of the law at %g %%", ratio, p.percent)
					}
				})
			}
			runs.Wait()
			return strings.TrimSpace(strings.Join(complaints, " "))
		})
	})
}

// TestUnshapedThroughput: the link is not what limits at the rates that
// comparisons use.
func TestUnshapedThroughput(t *testing.T) {
	least := map[link.Kind]float64{link.User: 1000, link.Kernel: 500} // Mbit/s
	eachKind(t, func(t *testing.T, kind link.Kind) {
		attempts(t, func(t *testing.T) string {
			n := open(t, "rtt=0s", kind, 1, nil)
			defer n.Close()
			arrived := flows(t, n, 1)
			rates := windows(arrived, int(span(4*time.Second)/(500*time.Millisecond)))
			rate := rates[len(rates)-1]
			up, down := n.Stats()
			t.Logf("%.0f Mbit/s, up %v CPU for %d packets, down %v for %d, dropped %d",
				rate, up.CPU, up.Offered.Packets, down.CPU, down.Offered.Packets, up.Dropped().Packets)
			if rate < least[kind] {
				return fmt.Sprintf("%.0f Mbit/s, want %.0f", rate, least[kind])
			}
			return ""
		})
	})
}

// TestSeedsAgree: without loss a TCP fills 100 Mbit/s over 50 ms, and as much
// with another seed. Without loss means none in the queue either. A TCP whose
// process was paused sends its whole window at once, so the window, 1.7
// bandwidth-delay products, is smaller than the queue. The link's own bound
// holds: no more than the rate without the headers arrives.
func TestSeedsAgree(t *testing.T) {
	const ceiling = 100 * 1448.0 / 1500
	eachKind(t, func(t *testing.T, kind link.Kind) {
		attempts(t, func(t *testing.T) string {
			var rates, total [2]float64 // Mbit/s: in a quiet stretch, from the start
			var late [2]time.Duration
			var runs sync.WaitGroup
			for i := range rates {
				n := open(t, "rtt=50ms,rate=100mbit,queue=2bdp", kind, uint64(i+1), &link.Options{
					CongestionControl: "reno", // CUBIC's HyStart takes a pause for a full link
					TCPBuffer:         1 << 20,
				})
				defer n.Close()
				start := time.Now()
				arrived := flows(t, n, 1)
				runs.Go(func() {
					time.Sleep(span(4 * time.Second)) // slow start
					w := windows(arrived, int(span(6*time.Second)/(500*time.Millisecond)))
					rates[i] = w[len(w)*3/4]
					total[i] = float64(arrived.Load()) * 8 / time.Since(start).Seconds() / 1e6
					up, _ := n.Stats()
					late[i] = up.MaxLate
				})
			}
			runs.Wait()
			t.Logf("%.2f and %.2f Mbit/s of at most %.2f, late at most %v", rates[0], rates[1], ceiling, late)
			if differ := math.Abs(rates[0]-rates[1]) / max(rates[0], rates[1]); differ > 0.03 {
				return fmt.Sprintf("%.1f %% apart", 100*differ)
			}
			if most := max(total[0], total[1]); most > ceiling {
				return fmt.Sprintf("%.2f Mbit/s are more than the link carries", most)
			}
			return ""
		})
	})
}

// TestDelay: a round trip takes what the spec says, within a millisecond and
// never less, for three quarters of the packets at least: what else the machine
// does delays some.
func TestDelay(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		for _, rtt := range []time.Duration{0, 10 * time.Millisecond, 80 * time.Millisecond} {
			t.Run(rtt.String(), func(t *testing.T) {
				attempts(t, func(t *testing.T) string {
					n := open(t, "rtt="+rtt.String(), kind, 1, nil)
					defer n.Close()
					trips, err := ping(n, 2*time.Millisecond, span(1600*time.Millisecond))
					if err != nil {
						t.Fatal(err)
					}
					slices.Sort(trips)
					low, high := trips[0], trips[len(trips)*3/4]
					t.Logf("least %v, median %v, upper quartile %v, most %v", low, trips[len(trips)/2], high, trips[len(trips)-1])
					if low < rtt || high > rtt+time.Millisecond {
						return fmt.Sprintf("%v to %v, want %v", low, high, rtt)
					}
					return ""
				})
			})
		}
	})
}

// TestRate: a link that is offered more than it carries delivers its rate,
// within one per cent, headers included.
func TestRate(t *testing.T) {
	const payload, packet = 1172, 1200
	eachKind(t, func(t *testing.T, kind link.Kind) {
		for _, mbit := range []float64{1, 20, 100} {
			t.Run(fmt.Sprintf("%gmbit", mbit), func(t *testing.T) {
				attempts(t, func(t *testing.T) string {
					n := open(t, fmt.Sprintf("rtt=2ms,rate=%gmbit,queue=200ms", mbit), kind, 1, nil)
					defer n.Close()
					c, err := n.Client().ListenPacket(0)
					if err != nil {
						t.Fatal(err)
					}
					s, err := n.Server().ListenPacket(0)
					if err != nil {
						t.Fatal(err)
					}
					length := span(1200 * time.Millisecond)
					start := time.Now()
					var sender sync.WaitGroup
					sender.Go(func() { // always ahead of the link, and a quarter more than it carries
						sent := -mbit * 1e6 / 8 * 0.1 // a tenth of a second ahead
						for time.Since(start) < length {
							for due := 1.25 * mbit * 1e6 / 8 * time.Since(start).Seconds(); sent < due; sent += packet {
								c.WriteTo(make([]byte, payload), s.LocalAddr())
							}
							time.Sleep(10 * time.Millisecond)
						}
					})
					buf := make([]byte, 2048)
					var first, last time.Time
					count := -1 // the first packet's bytes came before first
					for {
						s.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
						if _, _, err := s.ReadFrom(buf); err != nil {
							break
						}
						last = time.Now()
						if count++; count == 0 {
							first = last
						}
					}
					sender.Wait()
					rate := float64(count) * packet * 8 / last.Sub(first).Seconds() / 1e6
					up, _ := n.Stats()
					t.Logf("%.3f Mbit/s, %d dropped by the queue, at most %d bytes in it", rate, up.DroppedQueue.Packets, up.QueueHigh)
					if math.Abs(rate/mbit-1) > 0.01 || up.DroppedQueue.Packets == 0 {
						return fmt.Sprintf("%.3f Mbit/s, want %g", rate, mbit)
					}
					return ""
				})
			})
		}
	})
}

// lottery sends count numbered UDP packets, 200 at a time so that no socket
// overflows, and returns which arrived.
func lottery(t *testing.T, n *link.Network, count int) []bool {
	t.Helper()
	c, err := n.Client().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Server().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make([]bool, count)
	buf := make([]byte, 64)
	got := int64(0)
	for sent := 0; sent < count; {
		for range min(200, count-sent) {
			if _, err := c.WriteTo(binary.BigEndian.AppendUint32(buf[:0], uint32(sent)), s.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		// A packet has its fate when the link has it; the kernel's device may
		// hold it a moment.
		var lost int64
		for deadline := time.Now().Add(10 * time.Second); ; {
			up, _ := n.Stats()
			if lost = up.DroppedLoss.Packets; up.Offered.Packets == int64(sent) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d packets sent, the link has seen %d", sent, up.Offered.Packets)
			}
			time.Sleep(100 * time.Microsecond)
		}
		for got < int64(sent)-lost {
			s.SetReadDeadline(time.Now().Add(10 * time.Second))
			k, _, err := s.ReadFrom(buf)
			if err != nil || k != 4 {
				t.Fatalf("%d of %d packets, %d lost: %v", got, sent, lost, err)
			}
			arrived[binary.BigEndian.Uint32(buf)] = true
			got++
		}
	}
	return arrived
}

// TestLoss: of 100,000 packets, as many are lost as chance allows (the central
// 99 % interval of the binomial distribution), all of them by the emulator.
func TestLoss(t *testing.T) {
	const count, p = 100_000, 0.01
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, "rtt=0s,loss=1%/0%", kind, 1, nil)
		lost := 0
		for _, ok := range lottery(t, n, count) {
			if !ok {
				lost++
			}
		}
		deviation := math.Sqrt(count * p * (1 - p))
		t.Logf("%d lost, %.2f standard deviations from %g", lost, (float64(lost)-count*p)/deviation, count*p)
		if math.Abs(float64(lost)-count*p) > 2.576*deviation {
			t.Errorf("%d lost of %d", lost, count)
		}
		if up, _ := n.Stats(); up.DroppedLoss.Packets != int64(lost) || up.Dropped() != up.DroppedLoss {
			t.Errorf("%d did not arrive; the emulator says %+v", lost, up)
		}
	})
}

// TestSameSeedSameDrops, over any kind of link.
func TestSameSeedSameDrops(t *testing.T) {
	const count = 10_000
	run := func(t *testing.T, kind link.Kind, seed uint64) []bool {
		n := open(t, "rtt=1ms,loss=3%,burst=4", kind, seed, nil)
		defer n.Close()
		return lottery(t, n, count)
	}
	want := run(t, link.User, 7)
	eachKind(t, func(t *testing.T, kind link.Kind) {
		if !slices.Equal(run(t, kind, 7), want) {
			t.Error("the same seed dropped other packets")
		}
		if slices.Equal(run(t, kind, 8), want) {
			t.Error("another seed dropped the same packets")
		}
	})
}
