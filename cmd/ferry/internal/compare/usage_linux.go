package compare

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// resetPeakMemory starts a new peak (Linux, proc_pid_clear_refs(5)). Where that
// is not allowed the peak stays that of the whole process so far, which errs on
// the high side.
func resetPeakMemory() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peakMemory is the process's highest resident set since resetPeakMemory, in
// bytes (VmHWM of proc_pid_status(5)).
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte("VmHWM:"))
	if fields := bytes.Fields(rest); found && len(fields) > 0 {
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err == nil {
			return kib << 10
		}
	}
	return 0
}

// cpuSeconds is the processor time this process has used, user and system.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

// busySeconds is the processor time that all programs of the machine have used,
// ours included (/proc/stat, proc_stat(5)); 0 if it cannot be told.
func busySeconds() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 {
		return 0
	}
	// user nice system idle iowait irq softirq, in hundredths of a second
	var ticks float64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseFloat(string(fields[i]), 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks / 100
}
