package compare

import (
	"sync"
	"time"
)

// Bins of a recorder: fine at first, doubled when there are too many.
const (
	firstBin = 10 * time.Millisecond
	maxBins  = 2048
)

// recorder counts delivered bytes over time.
type recorder struct {
	mu    sync.Mutex
	begin time.Time
	first time.Time // when the first byte came
	last  time.Time // when the last one came
	width time.Duration
	bins  []int64
	total int64
}

func newRecorder(begin time.Time) *recorder { return &recorder{begin: begin, width: firstBin} }

func (r *recorder) add(now time.Time, n int) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.total == 0 {
		r.first = now
	}
	r.last = now
	r.total += int64(n)
	i := int(now.Sub(r.begin) / r.width)
	for i >= maxBins {
		r.coarsen()
		i /= 2
	}
	for len(r.bins) <= i {
		r.bins = append(r.bins, 0)
	}
	r.bins[i] += int64(n)
}

// coarsen makes bins twice as wide.
func (r *recorder) coarsen() {
	r.width *= 2
	half := r.bins[:(len(r.bins)+1)/2]
	for i := range half {
		n := r.bins[2*i]
		if 2*i+1 < len(r.bins) {
			n += r.bins[2*i+1]
		}
		half[i] = n
	}
	r.bins = half
}

// delivered is the number of bytes so far.
func (r *recorder) delivered() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// idle is how long nothing has been delivered.
func (r *recorder) idle() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.last)
}

// series returns MB/s in bins of at least 100 ms for runs of a second or more,
// and of 10 ms or more for shorter ones, up to end.
func (r *recorder) series(end time.Time) (bin time.Duration, rates []float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	length := end.Sub(r.begin)
	if len(r.bins) == 0 || length <= 0 {
		return 0, nil
	}
	group := 1
	if length >= time.Second {
		group = max(1, int(100*time.Millisecond/r.width))
	}
	bin = r.width * time.Duration(group)
	for from := time.Duration(0); from < length; from += bin {
		var n int64
		first := int(from / r.width)
		for i := first; i < min(first+group, len(r.bins)); i++ {
			n += r.bins[i]
		}
		rates = append(rates, float64(n)/1e6/min(bin, length-from).Seconds())
	}
	return bin, rates
}

// growth is the rate of the last quarter of a run over that of the quarter
// before; 0 if there is none.
func growth(rates []float64) float64 {
	n := len(rates) / 4
	if n == 0 {
		return 0
	}
	var before, last float64
	for i := range n {
		before += rates[len(rates)-2*n+i]
		last += rates[len(rates)-n+i]
	}
	if before == 0 {
		return 0
	}
	return last / before
}
