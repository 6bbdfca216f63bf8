package pipeline

import "time"

// window is how much may be unacknowledged on a lane: twice what the path
// holds, as far as arrivals have shown.
type window struct {
	size  int64         // bytes
	rtt   time.Duration // smallest seen, 0 if none
	rate  float64       // of arrival, bytes per second; 0 if unknown
	bytes int64         // arrived up to at
	at    time.Duration
}

func (w *window) roundTrip(d time.Duration) {
	if w.rtt == 0 || d < w.rtt {
		w.rtt = d
	}
}

// arrived takes note of what has arrived in all, and widens the window if it
// came fast.
func (w *window) arrived(bytes int64, now time.Duration) {
	period := max(w.rtt, 50*time.Millisecond)
	if bytes <= w.bytes || now-w.at < period {
		return
	}
	if w.bytes > 0 {
		w.rate = float64(bytes-w.bytes) / (now - w.at).Seconds()
		w.size = max(w.size, int64(2*w.rate*w.rtt.Seconds()))
	}
	w.at, w.bytes = now, bytes
}
