package compare

import (
	"runtime"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// What was measured decides which limit is named.
func TestLimit(t *testing.T) {
	cores := float64(runtime.GOMAXPROCS(0))
	emulated := func(text string) *point {
		spec, err := link.ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		return &point{line: Line{Name: "l", Emulated: true, Text: text}, spec: spec}
	}
	steady := []float64{10, 10, 10, 10, 10, 10, 10, 10}
	tests := []struct {
		name  string
		point *point
		run   run
		want  string
		mark  string
	}{
		{"loopback", &point{line: Line{Name: "loopback"}}, run{}, result.LimitCPU, ""},
		{"all processors", emulated("rtt=10ms,rate=1gbit"), run{Run: result.Run{CPUSeconds: cores}, linkUse: 0.5}, result.LimitCPU, result.MarkCPU},
		{"others at work", emulated("rtt=10ms,rate=1gbit"), run{Run: result.Run{CPUSeconds: cores / 10}, outside: cores * 0.9, linkUse: 0.5}, result.LimitCPU, result.MarkBusy},
		{"full link", emulated("rtt=10ms,rate=100mbit"), run{linkUse: 0.97}, result.LimitLink, ""},
		{
			"full link and lossy", emulated("rtt=10ms,rate=100mbit,loss=1%"),
			run{linkUse: 0.97, Run: result.Run{Wire: &result.Wire{Packets: 1000, DroppedLoss: 10}}}, result.LimitLink, "",
		},
		{
			"full of repetitions", emulated("rtt=10ms,rate=100mbit"),
			run{linkUse: 0.97, Run: result.Run{Wire: &result.Wire{Bytes: 50e6, DroppedBytes: 10e6, Packets: 1000, DroppedQueue: 100}}}, result.LimitCongestion, "",
		},
		{
			"window", emulated("rtt=400ms,rate=1gbit"),
			run{linkUse: 0.1, window: carrier.Window{Bytes: 4 << 20, Is: "a window", Setting: "%s of it"}, Run: result.Run{Throughput: steady}}, result.LimitWindow, "",
		},
		{
			"loss", emulated("rtt=50ms,rate=100mbit,loss=1%"),
			run{linkUse: 0.3, window: carrier.Window{Bytes: 64 << 20}, Run: result.Run{Throughput: steady, Wire: &result.Wire{Packets: 1000, DroppedLoss: 10}}}, result.LimitLoss, "",
		},
		{"slow start", emulated("rtt=50ms,rate=1gbit"), run{linkUse: 0.3, growth: 1.8, Run: result.Run{Throughput: steady}}, result.LimitSlowStart, result.MarkSlowStart},
		{
			"queue", emulated("rtt=50ms,rate=100mbit,queue=10ms"),
			run{linkUse: 0.7, growth: 1, Run: result.Run{Throughput: steady, Wire: &result.Wire{Packets: 1000, DroppedQueue: 3}}}, result.LimitCongestion, "",
		},
		{
			"full at last", emulated("rtt=80ms,rate=100mbit"),
			run{linkUse: 0.97, growth: 1, Run: result.Run{Throughput: []float64{1, 2, 4, 9, 12, 12, 12, 12}}}, result.LimitSlowStart, result.MarkSlowStart,
		},
		{
			"a mark that is refilled", emulated("rtt=400ms,rate=1gbit"),
			run{linkUse: 0.1, growth: 1, window: carrier.Window{Bytes: 16 << 20, Is: "a mark", Setting: "%s of it", Refilled: true}, Run: result.Run{Throughput: steady}}, result.LimitWindow, "",
		},
		{"timid", emulated("rtt=70ms,jitter=10ms,rate=200mbit"), run{linkUse: 0.4, growth: 1, Run: result.Run{Throughput: steady}}, result.LimitCongestion, ""},
		{"nothing to send", emulated("rtt=1ms,rate=100mbit"), run{linkUse: 0.2, idle: 0.9, Run: result.Run{Throughput: steady}}, result.LimitApplication, ""},
		{
			"emulator", emulated("rtt=10ms,rate=1gbit"),
			run{linkUse: 0.97, Run: result.Run{EmulatorSeconds: 0.6}}, result.LimitLink, result.MarkEmulator,
		},
		{
			"late", emulated("rtt=10ms,rate=1gbit"),
			run{linkUse: 0.97, Run: result.Run{Wire: &result.Wire{Packets: 100, Late: 5}}}, result.LimitLink, result.MarkEmulator,
		},
		{"unseen outage", emulated("starlink,rate=100mbit"), run{linkUse: 0.97}, result.LimitLink, result.MarkOutage},
		{"busy machine", emulated("rtt=10ms,rate=100mbit"), run{linkUse: 0.97, outside: cores / 2}, result.LimitLink, result.MarkBusy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run.Seconds, tt.run.MBPerS, tt.run.DeliveredBytes = 1, 10, 10e6
			if tt.run.Wire != nil {
				tt.run.Wire.Bytes, tt.run.Wire.ArrivedBytes = max(11e6, tt.run.Wire.Bytes), 10.5e6
			}
			l := &lane{carrier: carrier.Memory(), dir: result.Up, point: tt.point, want: 1, runs: []run{tt.run}}
			l.carrier.Role = result.Transport
			res := l.result(Config{Mode: result.Bulk})
			if !res.Verified || res.Limit == nil || res.Limit.Name != tt.want {
				t.Errorf("limit %+v, want %s; %s", res.Limit, tt.want, res.Error)
			}
			if res.Limit != nil && (res.Limit.Why == "" || res.Limit.Setting == "") {
				t.Errorf("limit without a reason or a remedy: %+v", res.Limit)
			}
			var names []string
			for _, m := range res.Marks {
				names = append(names, m.Name)
			}
			if tt.mark == "" && len(names) > 0 || tt.mark != "" && (len(names) != 1 || names[0] != tt.mark) {
				t.Errorf("marks %v, want %q", res.Marks, tt.mark)
			}
		})
	}
}

// What cannot be is a failed measurement.
func TestImplausible(t *testing.T) {
	spec, err := link.ParseSpec("rate=8mbit")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]run{
		"faster than the link": {Run: result.Run{MBPerS: 1.01, Seconds: 1, DeliveredBytes: 1.01e6}},
		"less on the wire":     {Run: result.Run{MBPerS: 0.5, Seconds: 1, DeliveredBytes: 5e5, Wire: &result.Wire{Bytes: 4e5}}},
	} {
		l := &lane{
			carrier: carrier.Memory(), dir: result.Up, want: 1, runs: []run{r},
			point: &point{line: Line{Name: "l", Emulated: true, Text: "rate=8mbit"}, spec: spec},
		}
		if res := l.result(Config{Mode: result.Bulk}); res.Verified || res.Error == "" {
			t.Errorf("%s: verified", name)
		}
	}
}

// Run times fit into the time there is, in proportion to the round trip, and
// never below what a link needs.
func TestAllot(t *testing.T) {
	plan := func(maxTime time.Duration, texts ...string) (points []*point, total time.Duration) {
		for _, text := range texts {
			spec, err := link.ParseSpec(text)
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, &point{line: Line{Name: text, Emulated: true, Text: text}, spec: spec})
		}
		s := newSchedule(Config{Carriers: named("wss", "quic", "webrtc"), Runs: 5, MaxTime: maxTime, Mode: result.Bulk}, points)
		for _, l := range s.lanes {
			total += time.Duration(l.want) * (l.point.runTime + overhead + overheadRoundTrips*l.point.spec.RTT())
		}
		return points, total
	}
	points, total := plan(5*time.Minute, "lte", "transatlantic", "wifi")
	if total > 5*time.Minute {
		t.Errorf("planned for %v", total)
	}
	for _, p := range points {
		if p.runTime < time.Second || p.runTime < 15*p.spec.RTT() {
			t.Errorf("%s: runs of %v", p.line.Name, p.runTime)
		}
	}
	if points, _ := plan(time.Second, "geo"); points[0].runTime < 12*600*time.Millisecond {
		t.Errorf("geo: runs of %v, %v round trips", points[0].runTime, points[0].runTime/points[0].spec.RTT())
	}
}
