//go:build !linux

package compare

// Peak memory and processor times are measured on Linux only; 0 says that they
// were not.

func resetPeakMemory() {}

func peakMemory() int64 { return 0 }

func cpuSeconds() float64 { return 0 }

func busySeconds() float64 { return 0 }
