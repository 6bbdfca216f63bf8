package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func memory(name string) Carrier { return Carrier{Name: name, Pair: memchan.Pair} }

func TestRunVerifiesBothDirections(t *testing.T) {
	for _, size := range []int{0, 1, 49151, 49152, 49153, 3 << 20} {
		report, err := Run(t.Context(), Config{Carriers: []Carrier{memory("one"), memory("two")}, Path: file(t, size), Runs: 2})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Results) != 4 || report.Failed() {
			t.Fatalf("size %d: %+v", size, report.Results)
		}
		for _, r := range report.Results {
			if r.DeliveredBytes != int64(size) || len(r.Runs) != 2 {
				t.Errorf("size %d: %s %s delivered %d bytes in %d runs", size, r.Transport, r.Direction, r.DeliveredBytes, len(r.Runs))
			}
		}
		var out bytes.Buffer
		if err := report.WriteJSON(&out); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("size %d: JSON %v: %s", size, err, out.Bytes())
		}
	}
}

// flipping changes one bit of one message on its way out.
type flipping struct {
	transport.Channel
	left int
}

func (f *flipping) Send(msg []byte) error {
	if f.left--; f.left == 0 {
		msg = bytes.Clone(msg)
		msg[len(msg)-1] ^= 1
	}
	return f.Channel.Send(msg)
}

// swallowing loses one message on its way out.
type swallowing struct {
	transport.Channel
	left int
}

func (s *swallowing) Send(msg []byte) error {
	if s.left--; s.left == 0 {
		return nil
	}
	return s.Channel.Send(msg)
}

func broken(name string, wrap func(transport.Channel) transport.Channel) Carrier {
	return Carrier{Name: name, Pair: func(ctx context.Context) (a, b transport.Channel, err error) {
		a, b, err = memchan.Pair(ctx)
		return wrap(a), b, err
	}}
}

func TestRunFailsAndGoesOn(t *testing.T) {
	tests := []struct {
		name    string
		carrier Carrier
		want    error
	}{
		{"a bit flipped", broken("bad", func(c transport.Channel) transport.Channel { return &flipping{c, 7} }), ErrUnverified},
		{"a chunk lost", broken("bad", func(c transport.Channel) transport.Channel { return &swallowing{c, 7} }), nil},
		{"cannot open", Carrier{Name: "bad", Pair: func(context.Context) (a, b transport.Channel, err error) {
			return nil, nil, transport.ErrUnsupported
		}}, transport.ErrUnsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := Run(t.Context(), Config{Carriers: []Carrier{memory("good"), tt.carrier}, Path: file(t, 1<<20), Runs: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				bad := r.Transport == "bad" && (r.Direction == Up || tt.want == transport.ErrUnsupported)
				if r.Verified == bad || (r.Error != "") != bad {
					t.Errorf("%s %s: verified %v, error %q", r.Transport, r.Direction, r.Verified, r.Error)
				}
				if bad && r.MBPerS != 0 {
					t.Errorf("a failed run has the rate %v", r.MBPerS)
				}
				if bad && tt.want != nil && !strings.Contains(r.Error, tt.want.Error()) {
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
	tests := []struct {
		name string
		cfg  Config
		want error
	}{
		{"no carrier", Config{Path: good}, errNothing},
		{"no file", Config{Carriers: []Carrier{memory("m")}, Path: good + "x"}, os.ErrNotExist},
		{"a directory", Config{Carriers: []Carrier{memory("m")}, Path: filepath.Dir(good)}, nil},
		{"negative runs", Config{Carriers: []Carrier{memory("m")}, Path: good, Runs: -1}, nil},
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
	cfg := Config{Carriers: []Carrier{memory("m")}, Path: file(t, 1<<20)}
	cfg.Progress = func(s Step) {
		if s.Run == 3 {
			cancel()
		}
	}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestVerdict(t *testing.T) {
	both := func(name string, rate, spread float64) []Result {
		return []Result{
			{Transport: name, Direction: Up, MBPerS: rate, Spread: spread, Verified: true},
			{Transport: name, Direction: Down, MBPerS: rate, Spread: spread, Verified: true},
		}
	}
	tests := []struct {
		name    string
		results [][]Result
		want    string
	}{
		{"clear", [][]Result{both("ws", 900, 0.03), both("quic", 300, 0.04)}, "ws is the fastest, up and down taken together: 3.00 ± 0.15 times quic."},
		{
			"three", [][]Result{both("webrtc", 90, 0), both("ws", 900, 0), both("quic", 300, 0)},
			"ws is the fastest, up and down taken together: 3.00 ± 0.00 times quic, and 10.00 ± 0.00 times webrtc, the slowest.",
		},
		{"tie", [][]Result{both("ws", 310, 0.03), both("quic", 300, 0.04)}, "ws and quic tie as the fastest, up and down taken together: 1.03 ± 0.05 is within the noise."},
		{"one", [][]Result{both("ws", 310, 0.03)}, "Only ws carried the file both ways over a network, at 310 MB/s: nothing to compare it with."},
		{"none", nil, "No transport with a network was compared."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Report
			for _, pair := range tt.results {
				r.Results = append(r.Results, pair...)
			}
			if got := r.verdict(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}}
	for _, tt := range tests {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
