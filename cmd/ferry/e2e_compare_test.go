//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// compared runs ferry compare and reads its JSON.
func compared(t *testing.T, ferry string, args ...string) (*result.Report, time.Duration) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), ferry, append([]string{"compare", "--format", "json"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.Bytes(), errs.Bytes())
	}
	var r result.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return &r, time.Since(begin)
}

// TestE2ECompareDefault: the first thing that a newcomer does takes less than a
// minute and ends with a verdict.
func TestE2ECompareDefault(t *testing.T) {
	r, took := compared(t, buildFerry(t))
	if took > time.Minute {
		t.Errorf("took %v", took)
	}
	if len(r.Links) != 2 || len(r.Verdicts) != 2 || r.Verdict == "" {
		t.Errorf("links %v, verdicts %v", r.Links, r.Verdicts)
	}
	honest(t, r)
}

// TestLongCompareStandardSet: three profiles, three transports, both directions,
// five runs in less than five minutes, with a limit for each row.
func TestLongCompareStandardSet(t *testing.T) {
	r, took := compared(t, buildFerry(t), "--link", "wifi", "--link", "lte", "--link", "transatlantic")
	if took > 5*time.Minute {
		t.Errorf("took %v", took)
	}
	rows := 0
	for _, res := range r.Results {
		if res.Role == result.Transport {
			rows++
			if len(res.Rates) < 5 || res.Limit == nil {
				t.Errorf("%s %s on %s: %d runs, limit %v", res.Transport, res.Direction, res.Link, len(res.Rates), res.Limit)
			}
		}
	}
	if rows != 3*3*2 {
		t.Errorf("%d rows of transports", rows)
	}
	honest(t, r)
}

// TestLongCompareSeedsAgree: on a link without loss each carrier's rate is within
// 3 % between two seeds. It takes a machine that has nothing else to do.
func TestLongCompareSeedsAgree(t *testing.T) {
	ferry := buildFerry(t)
	rates := func(seed string) (out []float64, names []string) {
		r, _ := compared(t, ferry, "--link", "rate=100mbit,rtt=50ms", "--transports", "wss,quic,webrtc",
			"--baselines=false", "--runs", "3", "--run-time", "5s", "--seed", seed)
		honest(t, r)
		for _, res := range r.Results {
			out = append(out, res.MBPerS)
			names = append(names, res.Transport+" "+string(res.Direction))
		}
		return out, names
	}
	one, names := rates("1")
	two, _ := rates("2")
	for i := range one {
		t.Logf("%s: %.2f and %.2f MB/s", names[i], one[i], two[i])
		if difference := math.Abs(one[i]-two[i]) / one[i]; difference > 0.03 {
			t.Errorf("%s: %.1f %% between two seeds", names[i], 100*difference)
		}
	}
}

// honest checks what must hold of every row.
func honest(t *testing.T, r *result.Report) {
	t.Helper()
	for _, res := range r.Results {
		l, _ := r.FindLink(res.Link)
		rate := l.Up.BitsPerS
		if res.Direction == result.Down {
			rate = l.Down.BitsPerS
		}
		if rate > 0 && slices.Max(res.Rates) > float64(rate)/8e6 {
			t.Errorf("%s %s on %s: %v MB/s over %d bit/s", res.Transport, res.Direction, res.Link, res.Rates, rate)
		}
		for _, c := range res.Ceilings {
			if res.MBPerS > c.MBPerS {
				t.Errorf("%s %s on %s: %.3f MB/s above the ceiling %s of %.3f", res.Transport, res.Direction, res.Link, res.MBPerS, c.Name, c.MBPerS)
			}
		}
		if l.Kind != "loopback" && res.WireOverPayload < 1 {
			t.Errorf("%s %s on %s: %.3f bytes on the wire for each delivered", res.Transport, res.Direction, res.Link, res.WireOverPayload)
		}
	}
}
