package link_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// The tests of this file tell whether results over an emulated link mean
// something. They measure in real time on whatever else the machine does, so
// each measurement may be repeated; the bounds stay.

// attempts measures until measure returns no complaint, at most three times.
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
	}
	t.Errorf("three times: %q", complaints)
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

// ping measures round trips of small UDP packets, one every interval, for d.
func ping(t *testing.T, n *link.Network, interval, d time.Duration) []time.Duration {
	t.Helper()
	c, err := n.Client().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := n.Server().ListenPacket(0)
	if err != nil {
		t.Fatal(err)
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
	var trips []time.Duration
	c.SetReadDeadline(start.Add(d + time.Second))
	buf := make([]byte, 64)
	for {
		if _, _, err := c.ReadFrom(buf); err != nil {
			break
		}
		trips = append(trips, time.Since(start)-time.Duration(binary.BigEndian.Uint64(buf)))
	}
	sender.Wait()
	if len(trips) == 0 {
		t.Fatal("no answer")
	}
	slices.Sort(trips)
	return trips
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
	eachKind(t, func(t *testing.T, kind link.Kind) {
		for _, at := range []struct {
			percent float64
			flows   int
		}{{0.1, 8}, {0.5, 12}, {1, 16}} {
			t.Run(fmt.Sprintf("%g%%", at.percent), func(t *testing.T) {
				t.Parallel()
				seed := uint64(0)
				attempts(t, func(t *testing.T) string {
					seed++
					n := open(t, fmt.Sprintf("rtt=50ms,loss=%g%%/0%%", at.percent), kind, seed, &link.Options{
						CongestionControl: "reno",
						TCPBuffer:         512 << 10, // far above the windows of the law: bounds the first slow start
					})
					defer n.Close()
					arrived := flows(t, n, at.flows)
					ping(t, n, 100*time.Millisecond, span(4*time.Second)) // out of slow start
					before, start := arrived.Load(), time.Now()
					rtt := mean(ping(t, n, 10*time.Millisecond, span(10*time.Second)))
					rate := float64(arrived.Load()-before) / time.Since(start).Seconds()
					law := math.Sqrt(1.5) * mss / rtt.Seconds() / math.Sqrt(at.percent/100) * float64(at.flows)
					up, _ := n.Stats()
					t.Logf("%.2f of the law (%.1f Mbit/s, rtt %v, %d losses, max late %v)", rate/law, rate*8/1e6, rtt, up.DroppedLoss.Packets, up.MaxLate)
					if ratio := rate / law; ratio < 0.75 || ratio > 1.25 {
						return fmt.Sprintf("%.2f of the law", ratio)
					}
					return ""
				})
			})
		}
	})
}
