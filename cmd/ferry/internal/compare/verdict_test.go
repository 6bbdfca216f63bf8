package compare

import (
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

func TestVerdict(t *testing.T) {
	const link = "wifi"
	both := func(name string, rates ...float64) []result.Result {
		row := func(d result.Direction) result.Result {
			return result.Result{
				Transport: name, Role: result.Transport, Direction: d, Link: link, MBPerS: rates[len(rates)/2], Rates: rates, Verified: true,
				Limit: &result.Limit{Name: result.LimitLink, Setting: "buy a faster one"},
			}
		}
		return []result.Result{row(result.Up), row(result.Down)}
	}
	tests := []struct {
		name    string
		results [][]result.Result
		want    string
	}{
		{
			"clear",
			[][]result.Result{both("ws", 880, 890, 900, 910, 920), both("quic", 290, 295, 300, 305, 310)},
			"wifi: choose ws, the fastest: 900 MB/s up and 900 MB/s down, which is 3.00 times quic. What limits it is the link itself; to go faster: buy a faster one.",
		},
		{
			"three",
			[][]result.Result{both("webrtc", 88, 89, 90, 91, 92), both("ws", 880, 890, 900, 910, 920), both("quic", 290, 295, 300, 305, 310)},
			"wifi: choose ws, the fastest: 900 MB/s up and 900 MB/s down, which is 3.00 times quic and 10 times webrtc. What limits it is the link itself; to go faster: buy a faster one.",
		},
		{
			"tie",
			[][]result.Result{both("ws", 280, 290, 310, 330, 340), both("quic", 285, 295, 300, 335, 345), both("webrtc", 1, 2, 3, 4, 5)},
			"wifi: ws and quic tie as the fastest, choose by something else: 310 MB/s up and 310 MB/s down, which is 103 times webrtc. What limits it is the link itself; to go faster: buy a faster one.",
		},
		{
			"too wide to tell",
			[][]result.Result{both("quic", 300, 300, 300, 300, 300), both("webrtc", 10, 20, 100, 310, 320)},
			"wifi: choose quic, the fastest: 300 MB/s up and 300 MB/s down. The runs of webrtc differ too much to rule out that it is as good; its median is 3.00 times worse." +
				" What limits it is the link itself; to go faster: buy a faster one.",
		},
		{
			"too few runs",
			[][]result.Result{both("ws", 880, 890, 900), both("quic", 290, 295, 300)},
			"wifi: ws was the fastest, but 3 runs cannot rule out chance (give it --runs 5): 890 MB/s up and 890 MB/s down, which is 3.02 times quic. What limits it is the link itself; to go faster: buy a faster one.",
		},
		{"one", [][]result.Result{both("ws", 310)}, "wifi: only ws took part, with 310 MB/s up and 310 MB/s down: nothing to compare it with. What limits it is the link itself; to go faster: buy a faster one."},
		{"none", nil, "No transport with a network was compared."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := result.Report{Settings: result.Settings{Mode: result.Bulk}}
			for _, pair := range tt.results {
				r.Results = append(r.Results, pair...)
			}
			conclude(&r)
			if r.Verdict != tt.want {
				t.Errorf("got  %s\nwant %s", r.Verdict, tt.want)
			}
		})
	}
}

// Baselines and yardsticks do not compete, in times the smaller wins, and the
// comparisons carry the p-value of the test.
func TestComparisons(t *testing.T) {
	row := func(name string, role result.Role, times ...float64) result.Result {
		r := result.Result{Transport: name, Role: role, Direction: result.Up, Link: "l", Verified: true}
		for _, s := range times {
			r.Runs = append(r.Runs, result.Run{MedianSeconds: s})
		}
		return r
	}
	r := result.Report{Settings: result.Settings{Mode: result.Messages}, Results: []result.Result{
		row("slow", result.Transport, 2, 2.1, 2.2, 2.3, 2.4),
		row("quick", result.Transport, 1, 1.05, 1.1, 1.2, 1.25),
		row("bare", result.Baseline, 0.1, 0.1, 0.1, 0.1),
		row("memory", result.Yardstick, 0.1, 0.1, 0.1, 0.1),
	}}
	conclude(&r)
	if len(r.Comparisons) != 1 {
		t.Fatalf("%+v", r.Comparisons)
	}
	if c := r.Comparisons[0]; c.Better != "quick" || c.Worse != "slow" || c.Ratio != 2 || c.P != 2.0/252 || c.Tie {
		t.Errorf("%+v", c)
	}
}
