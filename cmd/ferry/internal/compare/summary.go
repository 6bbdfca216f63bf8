package compare

import (
	"fmt"
	"slices"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
)

// figures are what the runs of a row are judged by: rates, or in the other
// modes medians of times.
func (l *lane) figures() []float64 {
	var out []float64
	for _, r := range l.runs {
		if r.MedianSeconds > 0 {
			out = append(out, r.MedianSeconds)
		} else {
			out = append(out, r.MBPerS)
		}
	}
	return out
}

// uncertainty is how far the median may be off, as a part of it.
func uncertainty(figures []float64) float64 {
	m := stats.Median(figures)
	if m == 0 {
		return 0
	}
	low, high := stats.MedianInterval(figures)
	return (high - low) / 2 / m
}

// each collects one value of every run.
func (l *lane) each(value func(run) float64) []float64 {
	out := make([]float64, len(l.runs))
	for i, r := range l.runs {
		out[i] = value(r)
	}
	return out
}

// result sums up a lane.
func (l *lane) result(cfg Config) result.Result {
	tcp := ""
	if l.point.line.Emulated {
		tcp = l.point.describe().TCP
	}
	res := result.Result{
		Transport: l.carrier.Name, Role: l.carrier.Role, Of: l.carrier.Of, Direction: l.dir,
		Link: l.point.line.Name, State: l.state, SweepValue: l.point.value, SweepNumber: l.point.number,
		Yardstick: l.carrier.Role == result.Yardstick,
		ChunkSize: l.point.options.ChunkSize, Streams: l.point.options.Streams,
		Congestion: l.carrier.Congestion(tcp),
		Verified:   l.err == nil && len(l.runs) > 0,
	}
	if l.props.MaxMessageSize > 0 {
		res.Buffered = l.props.Buffered.String()
	}
	for _, r := range l.runs {
		res.PeakRSSBytes = max(res.PeakRSSBytes, r.PeakRSSBytes)
	}
	if l.err != nil {
		res.Error = l.err.Error()
		return res
	}
	if len(l.runs) == 0 {
		res.Error = "not run: the time was up (--max-time)"
		return res
	}
	res.Complete = !slices.ContainsFunc(l.runs, func(r run) bool { return !r.Complete })
	for _, r := range l.runs {
		res.Runs = append(res.Runs, r.Run)
	}
	if cfg.Mode != result.Open {
		res.Rates = l.each(func(r run) float64 { return r.MBPerS })
		res.MBPerS = stats.Median(res.Rates)
	}
	figures := l.figures()
	res.Spread, res.Uncertainty = stats.Spread(figures), uncertainty(figures)
	middle := l.runs[closest(figures, stats.Median(figures))]
	res.HighWater = middle.highWater
	res.DeliveredBytes, res.LinkUse = middle.DeliveredBytes, middle.linkUse
	res.Seconds = middle.Seconds
	if res.MBPerS > 0 && cfg.Mode == result.Bulk {
		res.Seconds = float64(res.DeliveredBytes) / 1e6 / res.MBPerS
	}
	res.OpenSeconds = stats.Median(l.each(func(r run) float64 { return r.OpenSeconds }))
	res.FirstByteSeconds = stats.Median(l.each(func(r run) float64 { return r.FirstByteSeconds }))
	res.CPUCores = stats.Median(l.each(func(r run) float64 { return r.CPUSeconds / r.Seconds }))
	if cfg.Mode != result.Open && res.DeliveredBytes > 0 {
		res.CPUSecondsPerGB = stats.Median(l.each(func(r run) float64 { return r.CPUSeconds / (float64(r.DeliveredBytes) / 1e9) }))
	}
	l.wire(&res)
	if l.runs[0].latencies != nil {
		res.Latency = latency(l.runs)
	}
	if err := plausible(l); err != nil {
		res.Verified, res.Error = false, err.Error()
	}
	res.Ceilings = l.ceilings()
	res.Limit = l.limit(cfg, res)
	res.Marks = l.marks(res)
	return res
}

// closest is the index of the value nearest to want.
func closest(values []float64, want float64) (best int) {
	for i, v := range values {
		if abs(v-want) < abs(values[best]-want) {
			best = i
		}
	}
	return best
}

func abs(x float64) float64 { return max(x, -x) }

// wire fills in what the link counted.
func (l *lane) wire(res *result.Result) {
	if l.runs[0].Wire == nil {
		return
	}
	over := func(bytes func(result.Wire) int64) float64 {
		return stats.Median(l.each(func(r run) float64 {
			if r.DeliveredBytes == 0 {
				return 0
			}
			return float64(bytes(*r.Wire)) / float64(r.DeliveredBytes)
		}))
	}
	res.WireOverPayload = over(func(w result.Wire) int64 { return w.ArrivedBytes + w.DroppedBytes })
	res.BackOverPayload = over(func(w result.Wire) int64 { return w.BackBytes })
	var sent, lost int64
	for _, r := range l.runs {
		sent += r.Wire.Packets + r.Wire.BackPackets
		lost += r.Wire.DroppedLoss + r.Wire.DroppedQueue
	}
	if sent > 0 {
		res.LossSeen = float64(lost) / float64(sent)
	}
}

// plausible refuses what cannot be, which would mean that the measurement is
// wrong: a rate above the link's, or fewer bytes on the wire than delivered.
func plausible(l *lane) error {
	rate := float64(l.point.direction(l.dir).Rate) / 8e6
	for _, r := range l.runs {
		if rate > 0 && r.MBPerS > rate {
			return fmt.Errorf("compare: %.3f MB/s over a link of %.3f MB/s cannot be: the measurement is wrong", r.MBPerS, rate)
		}
		if r.Wire != nil && r.Wire.Bytes < r.DeliveredBytes {
			return fmt.Errorf("compare: %d bytes delivered and %d on the wire cannot be: the measurement is wrong", r.DeliveredBytes, r.Wire.Bytes)
		}
	}
	return nil
}

// latency is the distribution over all runs.
func latency(runs []run) *result.Latency {
	var all []float64
	for _, r := range runs {
		all = append(all, r.latencies...)
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	at := func(q float64) float64 { return stats.Quantile(all, q) }
	out := &result.Latency{
		Count: len(all), Mean: stats.Mean(all), Min: all[0], Max: all[len(all)-1],
		P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999),
	}
	const points = 200
	n := min(points, len(all))
	for i := range n {
		share := float64(i+1) / float64(n)
		out.Points = append(out.Points, result.Point{Seconds: at(share), Share: share})
	}
	return out
}
