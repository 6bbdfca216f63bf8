package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func file(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i % 251)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func memory(name string) carrier.Carrier { return carrier.Pairs(name, result.Transport, memchan.Pair) }

// named are the carriers with these names.
func named(names ...string) []carrier.Carrier {
	return slices.DeleteFunc(carrier.All(), func(c carrier.Carrier) bool { return !slices.Contains(names, c.Name) })
}

func TestRunVerifiesBothDirections(t *testing.T) {
	for _, streams := range []int{1, 3} {
		for _, size := range []int{0, 1, 49151, 49152, 49153, 3 << 20} {
			report, err := Run(t.Context(), Config{Carriers: []carrier.Carrier{memory("one"), memory("two")}, Path: file(t, size), Runs: 2, Streams: streams})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Results) != 4 || report.Failed() {
				t.Fatalf("size %d: %+v", size, report.Results)
			}
			for _, r := range report.Results {
				if r.DeliveredBytes != int64(size) || len(r.Rates) < 2 || !r.Complete {
					t.Errorf("size %d: %s %s delivered %d bytes in %d runs, complete %v", size, r.Transport, r.Direction, r.DeliveredBytes, len(r.Rates), r.Complete)
				}
			}
			var out bytes.Buffer
			if err := report.WriteJSON(&out); err != nil {
				t.Fatal(err)
			}
			if again, err := result.ReadJSON(&out); err != nil || len(again.Results) != 4 || again.Verdict != report.Verdict {
				t.Errorf("size %d: JSON: %v", size, err)
			}
		}
	}
}

// A run whose time is over before its first byte goes on until that.
func TestRunWaitsForTheFirstByte(t *testing.T) {
	late := carrier.Pairs("late", result.Transport, func(context.Context) (a, b transport.Channel, err error) {
		a, b = memchan.New(&memchan.Options{Latency: 200 * time.Millisecond})
		return a, b, nil
	})
	report, err := Run(t.Context(), Config{Carriers: []carrier.Carrier{late}, Path: file(t, 8<<20), Runs: 1, RunTime: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if !r.Verified || r.DeliveredBytes == 0 || r.Seconds < 0.2 {
			t.Errorf("%s: %d bytes in %v s, verified %v (%s)", r.Direction, r.DeliveredBytes, r.Seconds, r.Verified, r.Error)
		}
	}
}

// faulty does something to one message on its way in.
type faulty struct {
	transport.Channel
	left  int
	fault func(transport.Message) (m transport.Message, keep bool)
}

func (f *faulty) Receive(ctx context.Context) (transport.Message, error) {
	for {
		m, err := f.Channel.Receive(ctx)
		if f.left--; err == nil && f.left == 0 {
			var keep bool
			if m, keep = f.fault(m); !keep {
				continue
			}
		}
		return m, err
	}
}

// broken is a carrier whose far end meets a fault at one message.
func broken(at int, fault func(transport.Message) (transport.Message, bool)) carrier.Carrier {
	return carrier.Pairs("bad", result.Transport, func(ctx context.Context) (a, b transport.Channel, err error) {
		a, b, err = memchan.Pair(ctx)
		return a, &faulty{b, at, fault}, err
	})
}

func TestRunFailsAndGoesOn(t *testing.T) {
	const chunks = 22 // of a mebibyte
	drop := func(m transport.Message) (transport.Message, bool) { return m, false }
	flip := func(m transport.Message) (transport.Message, bool) {
		m.Data = bytes.Clone(m.Data)
		m.Data[len(m.Data)-1] ^= 1
		return m, true
	}
	tests := []struct {
		name    string
		carrier carrier.Carrier
		want    error
		down    bool // fails, too
	}{
		{"a bit flipped", broken(7, flip), ErrUnverified, false},
		{"the first chunk lost", broken(1, drop), ErrUnverified, false},
		{"a chunk lost", broken(7, drop), ErrUnverified, false},
		{"the last chunk lost", broken(chunks, drop), ErrUnverified, false},
		{"cannot open", carrier.Pairs("bad", result.Transport, func(context.Context) (a, b transport.Channel, err error) {
			return nil, nil, transport.ErrUnsupported
		}), transport.ErrUnsupported, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := Run(t.Context(), Config{
				Carriers: []carrier.Carrier{memory("good"), tt.carrier}, Path: file(t, 1<<20), Runs: 1, RunTime: 2 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				bad := r.Transport == "bad" && (r.Direction == result.Up || tt.down)
				if r.Verified == bad || (r.Error != "") != bad {
					t.Errorf("%s %s: verified %v, error %q", r.Transport, r.Direction, r.Verified, r.Error)
				}
				if bad && r.MBPerS != 0 {
					t.Errorf("a failed run has the rate %v", r.MBPerS)
				}
				if bad && !strings.Contains(r.Error, tt.want.Error()) {
					t.Errorf("error %q, want %v", r.Error, tt.want)
				}
			}
			if !strings.Contains(report.Verdict, "Failed: bad up") {
				t.Errorf("the verdict keeps quiet: %q", report.Verdict)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	good := file(t, 10)
	m := []carrier.Carrier{memory("m")}
	tests := []struct {
		name string
		cfg  Config
		want error
	}{
		{"no carrier", Config{Path: good}, ErrConfig},
		{"no file", Config{Carriers: m, Path: good + "x"}, os.ErrNotExist},
		{"a directory", Config{Carriers: m, Path: filepath.Dir(good)}, nil},
		{"negative runs", Config{Carriers: m, Path: good, Runs: -1}, ErrConfig},
		{"too many streams", Config{Carriers: m, Path: good, Streams: 1000}, ErrConfig},
		{"no link to sweep", Config{Carriers: m, Path: good, Sweep: &result.Sweep{Key: "loss", Values: []string{"1%"}}}, ErrConfig},
		{"not a loss", Config{
			Carriers: m, Path: good, Lines: []Line{{Name: "l", Emulated: true, Text: "rtt=1ms"}},
			Sweep: &result.Sweep{Key: "loss", Values: []string{"0", "much"}},
		}, ErrConfig},
		{"no streams", Config{Carriers: m, Path: good, Sweep: &result.Sweep{Key: "streams", Values: []string{"0"}}}, ErrConfig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Run(t.Context(), tt.cfg)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Carriers: []carrier.Carrier{memory("m")}, Path: file(t, 1<<20)}
	cfg.Progress = func(s Step) {
		if s.Run == 3 {
			cancel()
		}
	}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// line is an emulated link.
func line(text string) Line { return Line{Name: "link", Emulated: true, Text: text} }

// Over an emulated link a file arrives no faster than the link carries it,
// costs more bytes than it has, and the link is what limits it.
func TestLinkLimits(t *testing.T) {
	const rate = 16e6 / 8e6 // MB/s
	report, err := Run(t.Context(), Config{
		Carriers: named("wss", "tls", "quic", "quic-stream", "webrtc", "datachannel"), Path: file(t, 1<<20),
		Lines: []Line{line("rtt=4ms,rate=16mbit,queue=100ms")}, Runs: 1, RunTime: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 12 {
		t.Errorf("%d rows", len(report.Results))
	}
	for _, r := range report.Results {
		name := r.Transport + " " + string(r.Direction)
		if !r.Verified {
			t.Errorf("%s: %s", name, r.Error)
			continue
		}
		if r.MBPerS > rate || r.WireOverPayload < 1 {
			t.Errorf("%s: %.2f MB/s of %.2f, %.3f bytes on the wire for each", name, r.MBPerS, rate, r.WireOverPayload)
		}
		if len(r.Ceilings) == 0 || r.Ceilings[0].Name != result.LimitLink || r.Ceilings[0].MBPerS >= rate || r.MBPerS > r.Ceilings[0].MBPerS*1.02 {
			t.Errorf("%s: %.3f MB/s under the ceilings %+v", name, r.MBPerS, r.Ceilings)
		}
		if run := r.Runs[0]; run.Wire.Packets == 0 || run.Wire.BackPackets == 0 || len(run.Throughput) == 0 || run.FirstByteSeconds < 0.002 {
			t.Errorf("%s: a run of %+v", name, run)
		}
	}
	if got := len(report.Notes); got == 0 {
		t.Error("nobody says that congestion control differs")
	}
}

func TestMessages(t *testing.T) {
	report, err := Run(t.Context(), Config{
		Carriers: named("wss", "quic", "webrtc", "datachannel"), Mode: result.Messages, MessageBytes: 5000,
		Lines: []Line{line("rtt=20ms")}, Runs: 1, RunTime: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if !r.Verified {
			t.Errorf("%s %s: %s", r.Transport, r.Direction, r.Error)
			continue
		}
		l := r.Latency
		if l == nil || l.P50 < 0.02 || l.Count < 2 || l.P99 < l.P50 || l.Points[len(l.Points)-1].Share != 1 {
			t.Errorf("%s %s: latency %+v over a round trip of 20 ms", r.Transport, r.Direction, l)
		}
		if r.Limit == nil {
			t.Errorf("%s %s: no limit", r.Transport, r.Direction)
		}
	}
}

// A cold connection takes more round trips than a channel on one that is up,
// and what a carrier cannot do has no row.
func TestOpen(t *testing.T) {
	report, err := Run(t.Context(), Config{
		Carriers: named("ws", "wss", "quic", "webrtc"), Mode: result.Open,
		Lines: []Line{line("rtt=20ms")}, Runs: 1, RunTime: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	median := map[string]float64{}
	for _, r := range report.Results {
		if !r.Verified || r.Latency == nil {
			t.Errorf("%s %s %s: %s", r.Transport, r.Direction, r.State, r.Error)
			continue
		}
		median[r.Transport+" "+string(r.Direction)+" "+string(r.State)] = r.Latency.P50
	}
	for name, trips := range map[string]float64{
		// TCP and the upgrade take a round trip each, TLS 1.3 another; QUIC
		// has one for all; a message up adds half of one.
		"ws up cold": 2.5, "wss up cold": 3.5, "quic up cold": 1.5, "wss up resumed": 3.5, "quic up resumed": 1.5, "quic up reused": 0.5,
		"webrtc up cold": 2.5, "webrtc up reused": 0.5,
	} {
		if got := median[name] / 0.02; got < trips {
			t.Errorf("%s: %.2f round trips, at least %v are needed", name, got, trips)
		}
	}
	for _, name := range []string{"ws up resumed", "ws up reused", "wss down reused", "webrtc up resumed"} {
		if _, there := median[name]; there {
			t.Errorf("%s has a row", name)
		}
	}
	if median["quic up reused"] >= median["quic up cold"] {
		t.Errorf("a channel on a connection takes %v, a new connection %v", median["quic up reused"], median["quic up cold"])
	}
}

func TestSweep(t *testing.T) {
	report, err := Run(t.Context(), Config{
		Carriers: named("quic"), Path: file(t, 100<<10), Lines: []Line{line("rtt=2ms,rate=80mbit")}, Runs: 1, RunTime: time.Second,
		Sweep: &result.Sweep{Key: "rtt", Values: []string{"4ms", "40ms"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed() || len(report.Results) != 4 || len(report.Links) != 1 || report.Settings.Sweep.Unit != "seconds" {
		t.Fatalf("%+v", report)
	}
	near, far := report.Results[0], report.Results[2]
	if near.SweepValue != "4ms" || far.SweepValue != "40ms" || far.SweepNumber != 0.04 || far.Runs[0].Seconds < 0.02 || far.Runs[0].Seconds < near.Runs[0].Seconds {
		t.Errorf("%v over 4 ms, %v over 40 ms: %+v", near.Seconds, far.Seconds, far)
	}
	for key, values := range map[string][]string{"chunk-size": {"1KiB", "2000"}, "high-water": {"10KiB", "2000"}, "streams": {"2", "20"}} {
		report, err := Run(t.Context(), Config{
			Carriers: []carrier.Carrier{memory("m")}, Path: file(t, 100<<10), Runs: 1, Sweep: &result.Sweep{Key: key, Values: values},
		})
		if err != nil || report.Failed() || report.Results[2].SweepNumber != map[string]float64{"streams": 20}[key] && report.Results[2].SweepNumber != 2000 {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Two runs with one seed meet the same link.
func TestSeedRepeats(t *testing.T) {
	lost := func() (n int64) {
		report, err := Run(t.Context(), Config{
			Carriers: named("quic"), Path: file(t, 200<<10), Lines: []Line{line("rtt=1ms,rate=50mbit,loss=2%/0%")}, Runs: 1, RunTime: 3 * time.Second, Seed: 5,
		})
		if err != nil || report.Failed() {
			t.Fatalf("%v %+v", err, report)
		}
		w := report.Results[0].Runs[0].Wire
		if w.DroppedLoss == 0 {
			t.Error("nothing lost")
		}
		return w.DroppedLoss
	}
	// How many packets there are depends on timing, what becomes of the n-th
	// does not.
	if a, b := lost(), lost(); a-b > 4 || b-a > 4 {
		t.Errorf("%d and %d packets lost", a, b)
	}
}

func TestJSONNames(t *testing.T) {
	report, err := Run(t.Context(), Config{Carriers: []carrier.Carrier{memory("m")}, Path: file(t, 100), Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	// The first names that there were; programs rely on them.
	for _, name := range []string{"schema", "machine", "settings", "results", "verdict"} {
		if _, there := top[name]; !there {
			t.Errorf("no %q", name)
		}
	}
	for _, name := range []string{
		"transport", "direction", "chunk_size", "buffered", "delivered_bytes", "seconds", "mb_per_s", "spread", "runs_mb_per_s",
		"verified", "peak_rss_bytes", "file", "bytes", "blake3", "runs", "warm_ups", "link",
	} {
		if !bytes.Contains(out.Bytes(), []byte(`"`+name+`":`)) {
			t.Errorf("no %q", name)
		}
	}
}
