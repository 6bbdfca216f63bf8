package compare

import (
	"encoding/hex"
	"math"
	"runtime"
	"slices"
)

// Schema is the version of the JSON form of Report. Fields are added without
// changing it; it changes when one is removed or changes its meaning.
const Schema = 1

// Report is the outcome of a comparison.
type Report struct {
	Schema   int      `json:"schema"`
	Machine  Machine  `json:"machine"`
	Settings Settings `json:"settings"`
	Results  []Result `json:"results"`
	Verdict  string   `json:"verdict"`
}

// Machine is where the comparison ran.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
}

func thisMachine() Machine {
	return Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
}

// Settings is what was sent and how.
type Settings struct {
	File      string `json:"file"`
	Bytes     int64  `json:"bytes"`
	BLAKE3    string `json:"blake3"`
	ChunkSize int    `json:"chunk_size"`
	Runs      int    `json:"runs"`
	WarmUps   int    `json:"warm_ups"`
	Link      string `json:"link"`
}

// Result is one carrier in one direction.
type Result struct {
	Transport string    `json:"transport"`
	Direction Direction `json:"direction"`
	Yardstick bool      `json:"yardstick,omitempty"` // no network: does not compete
	ChunkSize int       `json:"chunk_size"`
	Buffered  string    `json:"buffered"` // what the carrier's buffered amount counts

	// DeliveredBytes is what the receiver got, in each run.
	DeliveredBytes int64 `json:"delivered_bytes"`

	// Seconds and MBPerS are those of the median run; a megabyte is 10^6
	// bytes.
	Seconds float64 `json:"seconds"`
	MBPerS  float64 `json:"mb_per_s"`

	// Spread is half the distance between the fastest and the slowest run,
	// as a part of the median: 0.05 reads ±5 %.
	Spread float64   `json:"spread"`
	Runs   []float64 `json:"runs_mb_per_s"` // in the order they ran

	Verified        bool    `json:"verified"` // the content hash was right in every run
	CPUSecondsPerGB float64 `json:"cpu_seconds_per_gb,omitempty"`
	PeakRSSBytes    int64   `json:"peak_rss_bytes"` // of the process, both sides, the largest of the runs
	Error           string  `json:"error,omitempty"`
}

func (d digest) String() string { return hex.EncodeToString(d[:]) }

func (l *lane) result(cfg Config) Result {
	res := Result{
		Transport: l.carrier.Name,
		Direction: l.dir,
		Yardstick: l.carrier.Yardstick,
		ChunkSize: cfg.ChunkSize,
		Buffered:  l.props.Buffered.String(),
		Verified:  l.err == nil,
	}
	for _, r := range l.runs {
		res.PeakRSSBytes = max(res.PeakRSSBytes, r.peakMemory)
		res.DeliveredBytes = r.delivered
	}
	if l.err != nil {
		res.Error = l.err.Error()
		return res
	}
	var cpu []float64
	for _, r := range l.runs {
		res.Runs = append(res.Runs, rate(r))
		if r.delivered > 0 {
			cpu = append(cpu, r.cpuSeconds/(float64(r.delivered)/1e9))
		}
	}
	res.MBPerS = median(res.Runs)
	if res.MBPerS > 0 {
		res.Seconds = float64(res.DeliveredBytes) / 1e6 / res.MBPerS
		res.Spread = (slices.Max(res.Runs) - slices.Min(res.Runs)) / 2 / res.MBPerS
		res.CPUSecondsPerGB = median(cpu)
	} else {
		res.Seconds = l.runs[0].seconds
	}
	return res
}

// rate is in 10^6 bytes a second.
func rate(r run) float64 { return float64(r.delivered) / 1e6 / r.seconds }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// Failed reports whether a result is missing or not to be trusted.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Results, func(res Result) bool { return !res.Verified })
}

// combined is a carrier's rate for one trip up and one down.
type combined struct {
	name   string
	rate   float64
	spread float64
}

// ranking orders the competing carriers by their combined rate, fastest first.
func (r *Report) ranking() []combined {
	var all []combined
	for i := range r.Results {
		up := r.Results[i]
		if up.Yardstick || up.Direction != Up || up.MBPerS == 0 {
			continue
		}
		j := slices.IndexFunc(r.Results, func(d Result) bool { return d.Transport == up.Transport && d.Direction == Down })
		if j < 0 || r.Results[j].MBPerS == 0 {
			continue
		}
		down := r.Results[j]
		all = append(all, combined{
			name:   up.Transport,
			rate:   2 / (1/up.MBPerS + 1/down.MBPerS),
			spread: math.Max(up.Spread, down.Spread),
		})
	}
	slices.SortFunc(all, func(x, y combined) int {
		if x.rate > y.rate {
			return -1
		}
		return 1
	})
	return all
}
