package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// The fixtures are made up: their figures are drawn around rates that a
// transport could have, and are nobody's measurement.
var fixtures = []struct {
	name string
	make func() *result.Report
}{
	{"one", oneResult},
	{"failures", failures},
	{"standard", standard},
	{"sweep", sweep},
	{"messages", messages},
	{"open", openings},
	{"long", long},
	{"empty", func() *result.Report { return base(result.Bulk) }},
}

func base(mode result.Mode) *result.Report {
	return &result.Report{
		Schema:  result.Schema,
		Time:    time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC),
		Seconds: 143.5,
		Machine: result.Machine{
			OS: "linux", Arch: "amd64", CPUs: 2, Go: "go1.26.8", Ferry: "v0.1.0",
			Libraries: []result.Library{{Path: "github.com/coder/websocket", Version: "v1.8.14"}, {Path: "github.com/quic-go/quic-go", Version: "v0.65.0"}, {Path: "github.com/pion/webrtc/v4", Version: "v4.2.26"}},
		},
		Settings: result.Settings{
			Mode: mode, File: "random bytes", Bytes: 64 << 20, ChunkSize: 48 << 10, Streams: 1,
			BLAKE3: "4878ca0425c739fa427f7eda20fe845f6b2e46ba5fe2a14df5b1e32f50603215",
			Runs:   5, WarmUps: 1, RunSeconds: 10, MaxSeconds: 300, Seed: 7, Baselines: true,
			Command: "ferry compare --link lan --link dsl --link transatlantic --cc cubic --transports ws,quic,webrtc --size 64MiB --chunk-size 48KiB --runs 5 --run-time 10s --max-time 5m0s --seed 7",
		},
	}
}

// maker draws runs around a rate.
type maker struct {
	*rand.Rand
	report *result.Report
}

func newMaker(r *result.Report) *maker { return &maker{rand.New(rand.NewPCG(3, 5)), r} }

func (m *maker) add(link string, dir result.Direction, transport string, rate, spread float64, more func(*result.Result)) {
	role := result.Transport
	of := map[string]string{"tcp": "ws", "raw websocket": "ws", "raw quic": "quic", "raw webrtc": "webrtc"}[transport]
	switch {
	case of != "":
		role = result.Baseline
	case transport == "memory":
		role = result.Yardstick
	}
	res := result.Result{
		Transport: transport, Role: role, Of: of, Yardstick: role == result.Yardstick, Direction: dir, Link: link,
		ChunkSize: m.report.Settings.ChunkSize, Streams: 1, HighWater: map[string]int{"ws": 256 << 10, "quic": 256 << 10, "webrtc": 768 << 10}[transport], Verified: true, Complete: true,
		Congestion: map[string]string{"ws": "kernel TCP, cubic", "tcp": "kernel TCP, cubic", "raw websocket": "kernel TCP, cubic", "quic": "quic-go, cubic", "raw quic": "quic-go, cubic", "webrtc": "pion SCTP, reno", "raw webrtc": "pion SCTP, reno"}[transport],
		Buffered:   "until acknowledged", DeliveredBytes: m.report.Settings.Bytes,
		CPUSecondsPerGB: 3 + 4*m.Float64(), CPUCores: 0.4, PeakRSSBytes: 50<<20 + m.Int64N(30<<20),
		OpenSeconds: 0.1 + 0.05*m.Float64(), FirstByteSeconds: 0.03, WireOverPayload: 1.043, BackOverPayload: 0.021, LinkUse: 0.97,
	}
	for i := range m.report.Settings.Runs {
		x := rate * (1 + spread*(2*m.Float64()-1))
		run := result.Run{
			Seed: uint64(7 + i), MBPerS: x, Seconds: float64(res.DeliveredBytes) / 1e6 / x, DeliveredBytes: res.DeliveredBytes, Complete: true,
			OpenSeconds: res.OpenSeconds, FirstByteSeconds: 0.03, CPUSeconds: 0.4, EmulatorSeconds: 0.05, PeakRSSBytes: res.PeakRSSBytes,
			Wire:       &result.Wire{Bytes: int64(1.043 * float64(res.DeliveredBytes)), Packets: 49000, BackBytes: 1 << 20, BackPackets: 24000, DroppedLoss: 12, DroppedQueue: 31, QueueHigh: 625000},
			BinSeconds: 0.25,
		}
		bins := int(math.Ceil(run.Seconds / run.BinSeconds))
		for b := range min(bins, 400) {
			grown := 1 - math.Exp(-float64(b+1)/2.5)
			run.Throughput = append(run.Throughput, x*grown*(1+0.12*(2*m.Float64()-1)))
		}
		res.Runs = append(res.Runs, run)
		res.Rates = append(res.Rates, x)
	}
	res.MBPerS, res.Spread = stats.Median(res.Rates), stats.Spread(res.Rates)
	res.Uncertainty = res.Spread
	res.Seconds = float64(res.DeliveredBytes) / 1e6 / res.MBPerS
	if more != nil {
		more(&res)
	}
	m.report.Results = append(m.report.Results, res)
}

func limit(name, why, setting string, ceilings ...result.Ceiling) func(*result.Result) {
	return func(r *result.Result) {
		r.Limit = &result.Limit{Name: name, Why: why, Setting: setting}
		r.Ceilings = ceilings
	}
}

func oneResult() *result.Report {
	r := base(result.Bulk)
	r.Links = []result.Link{{Name: "loopback", Kind: "loopback", RTTSeconds: 0.00005, MTU: 65535}}
	r.Settings.Link, r.Settings.Baselines = "loopback", false
	newMaker(r).add("loopback", result.Up, "quic", 212, 0.04, limit(result.LimitCPU, "both processors were busy for 97 % of the time", "none: a faster machine"))
	r.Verdict = "Only quic was measured, at 212 MB/s: nothing to compare it with."
	return r
}

// long has names as long as a description of a link can be.
func long() *result.Report {
	r := standard()
	name := "rtt=50ms/80ms,jitter=5ms,rate=3mbit/25mbit,queue=200ms,loss=0.1%,reorder=1%,outage=50ms:15s"
	for i := range r.Links[:1] {
		r.Links[i].Name = name
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Link == "lan" {
			res.Link = name
		}
		if res.Transport == "webrtc" {
			res.Transport = "a-transport-with-a-long-name"
		}
		if res.Of == "webrtc" {
			res.Of = "a-transport-with-a-long-name"
		}
	}
	r.Comparisons = nil
	return r
}

func failures() *result.Report {
	r := standard()
	for i := range r.Results {
		res := &r.Results[i]
		if res.Transport == "webrtc" && res.Link == "dsl" {
			res.Verified, res.Complete, res.Runs, res.Rates, res.MBPerS, res.Limit, res.Ceilings = false, false, nil, nil, 0, nil, nil
			res.Error = "open webrtc: dcchan: no connection after 30s: <candidates> were exchanged, no check came through & nothing was sent"
		}
		if res.Transport == "quic" && res.Link == "transatlantic" && res.Direction == result.Down {
			res.Verified, res.Error = false, "compare: content differs at the receiver: 67059712 bytes of 67108864, BLAKE3 9c1f2a00aabbccdd instead of 4878ca0425c739fa"
		}
	}
	r.Verdict = "quic is the best for dsl and transatlantic. Failed: webrtc up on dsl, webrtc down on dsl, quic down on transatlantic."
	return r
}

func standard() *result.Report {
	r := base(result.Bulk)
	r.Settings.Link = "lan,dsl,transatlantic"
	r.Links = []result.Link{
		{Name: "lan", Spec: "rtt=400us,rate=1gbit,queue=512KiB", Kind: "user", About: "two machines on one Gigabit Ethernet switch", RTTSeconds: 0.0004, MTU: 1500, TCP: "cubic",
			Up: result.LinkDirection{BitsPerS: 1e9, QueueBytes: 512 << 10}, Down: result.LinkDirection{BitsPerS: 1e9, QueueBytes: 512 << 10}},
		{Name: "dsl", Spec: "rtt=50ms,rate=3mbit/25mbit,queue=200ms", Kind: "user", About: "a DSL line with a slow upstream", RTTSeconds: 0.05, MTU: 1500, TCP: "cubic",
			Up: result.LinkDirection{BitsPerS: 3e6, QueueBytes: 75000}, Down: result.LinkDirection{BitsPerS: 25e6, QueueBytes: 625000}},
		{Name: "transatlantic", Spec: "rtt=80ms,rate=100mbit,queue=1bdp,loss=0.1%", Kind: "user", About: "a server on the other side of the Atlantic", RTTSeconds: 0.08, MTU: 1500, TCP: "cubic",
			Up: result.LinkDirection{BitsPerS: 1e8, QueueBytes: 1e6, Loss: 0.001}, Down: result.LinkDirection{BitsPerS: 1e8, QueueBytes: 1e6, Loss: 0.001}},
	}
	r.Notes = []string{"The congestion controls differ: ws runs over TCP cubic, quic over cubic, webrtc over SCTP's reno. With loss the comparison is of these, not of the protocols."}
	m := newMaker(r)
	for _, link := range r.Links {
		for _, dir := range []result.Direction{result.Up, result.Down} {
			bits := link.Up.BitsPerS
			if dir == result.Down {
				bits = link.Down.BitsPerS
			}
			goodput := float64(bits) / 8e6
			ceiling := result.Ceiling{Name: result.LimitLink, MBPerS: goodput * 0.955, Why: "the link's rate less measured headers"}
			switch link.Name {
			case "lan":
				cpu := limit(result.LimitCPU, "both processors were busy, 1.96 of 2 cores", "none for the transport: use a faster machine, or larger chunks with --chunk-size 256KiB", ceiling)
				m.add(link.Name, dir, "ws", 96, 0.03, cpu)
				m.add(link.Name, dir, "tcp", 112, 0.01, limit(result.LimitLink, "the link was 99 % full", "none: the link is used up", ceiling))
				m.add(link.Name, dir, "quic", 71, 0.06, cpu)
				m.add(link.Name, dir, "raw quic", 83, 0.04, cpu)
				m.add(link.Name, dir, "webrtc", 31, 0.24, func(res *result.Result) {
					cpu(res)
					res.Marks = []result.Mark{{Name: result.MarkCPU, Text: "the machine was the limit, not the link"}, {Name: result.MarkSpread, Text: "the runs differ by ±24 %, also after 5 more"}}
				})
				m.add(link.Name, dir, "raw webrtc", 38, 0.1, cpu)
			case "dsl":
				full := limit(result.LimitLink, "the link was 98 % full", "none: the link is used up", ceiling)
				m.add(link.Name, dir, "ws", goodput*0.941, 0.004, full)
				m.add(link.Name, dir, "tcp", goodput*0.95, 0.004, full)
				m.add(link.Name, dir, "quic", goodput*0.938, 0.005, full)
				m.add(link.Name, dir, "raw quic", goodput*0.943, 0.004, full)
				m.add(link.Name, dir, "webrtc", goodput*0.88, 0.02, limit(result.LimitCongestion, "packets found the queue full, and SCTP halved its window 41 times", "a shorter queue at the bottleneck, or fewer streams", ceiling))
				m.add(link.Name, dir, "raw webrtc", goodput*0.9, 0.02, full)
			default:
				loss := limit(result.LimitLoss, "0.1 % of the packets are lost at 80 ms: reno cannot pass 0.68 MB/s by the square-root law", "more streams: --streams 4 brings four congestion windows", result.Ceiling{Name: result.LimitLoss, MBPerS: 0.68, Why: "the square-root law at 0.1 % loss and 80 ms"}, ceiling)
				slow := limit(result.LimitLoss, "0.1 % of the packets are lost at 80 ms and every loss halves the rate", "more streams: --streams 4", ceiling)
				m.add(link.Name, dir, "ws", 3.1, 0.08, slow)
				m.add(link.Name, dir, "tcp", 3.3, 0.07, slow)
				m.add(link.Name, dir, "quic", 3.2, 0.09, slow)
				m.add(link.Name, dir, "raw quic", 3.4, 0.05, slow)
				m.add(link.Name, dir, "webrtc", 0.6, 0.12, func(res *result.Result) {
					loss(res)
					res.Complete = false
					res.Marks = []result.Mark{{Name: result.MarkSlowStart, Text: "the rate was still growing when the run ended"}}
				})
				m.add(link.Name, dir, "raw webrtc", 0.65, 0.1, loss)
			}
			for _, pair := range [][2]string{{"ws", "quic"}, {"ws", "webrtc"}, {"quic", "webrtc"}} {
				compared(r, link.Name, "", dir, pair[0], pair[1])
			}
		}
	}
	r.Verdict = "On fast and short links ws is the fastest, 1.35 times quic and 3.1 times webrtc, and the processor decides. On dsl the three tie: the link is full with each. With loss at a long delay ws and quic tie and webrtc is 5 times slower."
	r.Verdicts = []result.LinkVerdict{
		{Link: "lan", Text: "Choose ws: 1.35 ± 0.07 times as fast as quic and 3.1 ± 0.7 times webrtc. The processor limits all three, so the protocol that costs least per byte wins."},
		{Link: "dsl", Text: "Choose by something other than speed: ws and quic tie, both fill the link. Upstream is what is slow here."},
		{Link: "transatlantic", Text: "Choose ws or quic, which tie; webrtc is 5 times slower because its congestion control halves the rate at each lost packet. --streams 4 helps all three."},
	}
	return r
}

func compared(r *result.Report, link, value string, dir result.Direction, x, y string) {
	find := func(name string) result.Result {
		i := slices.IndexFunc(r.Results, func(res result.Result) bool {
			return res.Transport == name && res.Link == link && res.Direction == dir && res.SweepValue == value
		})
		return r.Results[i]
	}
	a, b := find(x), find(y)
	if a.MBPerS < b.MBPerS {
		a, b = b, a
	}
	p := stats.MannWhitney(a.Rates, b.Rates)
	r.Comparisons = append(r.Comparisons, result.Comparison{Link: link, SweepValue: value, Direction: dir, Better: a.Transport, Worse: b.Transport, Ratio: a.MBPerS / b.MBPerS, P: p, Tie: p >= 0.05})
}

func sweep() *result.Report {
	r := base(result.Bulk)
	r.Settings.Link = "rtt=50ms,rate=100mbit,queue=1bdp"
	r.Settings.Sweep = &result.Sweep{Key: "loss", Values: []string{"0", "0.1%", "1%", "3%"}, Unit: "share"}
	r.Links = []result.Link{{Name: r.Settings.Link, Spec: r.Settings.Link, Kind: "kernel", RTTSeconds: 0.05, MTU: 1500, TCP: "reno", Up: result.LinkDirection{BitsPerS: 1e8, QueueBytes: 625000}, Down: result.LinkDirection{BitsPerS: 1e8, QueueBytes: 625000}}}
	m := newMaker(r)
	ceiling := result.Ceiling{Name: result.LimitLink, MBPerS: 11.9, Why: "the link's rate less measured headers"}
	for i, p := range []float64{0, 0.001, 0.01, 0.03} {
		for _, dir := range []result.Direction{result.Up, result.Down} {
			more := func(res *result.Result) {
				res.SweepValue, res.SweepNumber = r.Settings.Sweep.Values[i], p
				limit(result.LimitLoss, fmt.Sprintf("%g %% of the packets are lost and every loss cuts the rate", 100*p), "more streams: --streams 4", ceiling)(res)
				res.LossSeen = p
				if p == 0 {
					limit(result.LimitLink, "the link was 99 % full", "none: the link is used up", ceiling)(res)
				}
			}
			law := func(top, c float64) float64 {
				if p == 0 {
					return top
				}
				return min(top, c*1448/0.05/math.Sqrt(p)/1e6)
			}
			m.add(r.Settings.Link, dir, "ws", law(11.7, 1.2), 0.05, more)
			m.add(r.Settings.Link, dir, "tcp", law(11.8, 1.25), 0.03, more)
			m.add(r.Settings.Link, dir, "quic", law(11.5, 2.1), 0.06, more)
			m.add(r.Settings.Link, dir, "raw quic", law(11.6, 2.2), 0.04, more)
			m.add(r.Settings.Link, dir, "webrtc", law(10.9, 0.9), 0.1, more)
		}
	}
	r.Verdict = "quic loses least of its rate to loss; at 1 % and 50 ms it is 1.7 times as fast as ws and 2.3 times webrtc. Without loss the three tie."
	for i, v := range r.Settings.Sweep.Values {
		r.Verdicts = append(r.Verdicts, result.LinkVerdict{Link: r.Settings.Link, SweepValue: v, Text: []string{"A tie: each fills the link.", "quic and ws tie.", "quic, 1.7 ± 0.1 times ws.", "quic, 1.7 ± 0.2 times ws."}[i]})
	}
	return r
}

func distribution(r *rand.Rand, middle, tail float64, n int) *result.Latency {
	var x []float64
	for range n {
		x = append(x, middle*(1+0.02*r.NormFloat64())+tail*r.ExpFloat64()*r.ExpFloat64())
	}
	slices.Sort(x)
	l := &result.Latency{Count: n, Mean: stats.Mean(x), Min: x[0], Max: x[n-1], P50: stats.Quantile(x, 0.5), P90: stats.Quantile(x, 0.9), P95: stats.Quantile(x, 0.95), P99: stats.Quantile(x, 0.99), P999: stats.Quantile(x, 0.999)}
	for i := range 200 {
		share := float64(i+1) / 200
		l.Points = append(l.Points, result.Point{Seconds: stats.Quantile(x, share), Share: share})
	}
	return l
}

func messages() *result.Report {
	r := base(result.Messages)
	r.Settings.MessageBytes, r.Settings.Baselines = 64<<10, false
	full := standard()
	r.Links = full.Links[1:]
	r.Settings.Link = "dsl,transatlantic"
	m := newMaker(r)
	for _, link := range r.Links {
		for _, dir := range []result.Direction{result.Up, result.Down} {
			for i, name := range []string{"ws", "quic", "webrtc"} {
				m.add(link.Name, dir, name, 0.5, 0.01, func(res *result.Result) {
					res.Latency = distribution(m.Rand, link.RTTSeconds*(1+0.1*float64(i)), 0.01*float64(3-i), 2000)
					res.Congestion = ""
					for k := range res.Runs {
						res.Runs[k].MedianSeconds = res.Latency.P50 * (1 + 0.01*float64(k))
						res.Runs[k].Throughput = nil
					}
					limit(result.LimitRoundTrips, "each answer waits for its request: 94 % of the time is the round trip", "several requests at a time, or a nearer server")(res)
				})
			}
		}
	}
	r.Verdict = "ws answers first in the middle, 1.1 times sooner than quic; webrtc has the shortest tail, 70 ms at the 99th percentile on dsl."
	r.Verdicts = []result.LinkVerdict{{Link: "dsl", Text: "ws in the middle, webrtc at the tail."}, {Link: "transatlantic", Text: "A tie."}}
	return r
}

func openings() *result.Report {
	r := messages()
	r.Settings.Mode, r.Settings.MessageBytes = result.Open, 0
	var out []result.Result
	for _, res := range r.Results {
		if res.Direction != result.Up {
			continue
		}
		for i, state := range []result.OpenState{result.Cold, result.Resumed, result.Reused} {
			m := newMaker(r)
			res.State, res.MBPerS, res.Rates = state, 0, nil
			res.Runs = slices.Clone(res.Runs)
			for k := range res.Runs {
				res.Runs[k].MBPerS = 0
			}
			res.Latency = distribution(m.Rand, 0.05*float64(4-i)*float64(len(res.Transport)), 0.01, 50)
			out = append(out, res)
		}
	}
	r.Results = out
	r.Verdict = "ws opens first, after " + strconv.Itoa(3) + " round trips; quic resumed needs none before its first byte."
	return r
}
