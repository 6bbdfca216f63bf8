package emulator

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time that the calling thread has used.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// alarm is a timer of the kernel, waited for with the runtime's epoll, where
// Go's own timers are rounded up to a millisecond.
type alarm struct {
	file    *os.File
	fd      int
	stopped sync.WaitGroup
}

// newAlarm calls ring, on another goroutine, when the time given to set is over.
func newAlarm(ring func()) (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("emulator: timer of the kernel: %w", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
	a.stopped.Go(func() {
		var expirations [8]byte
		for {
			if _, err := a.file.Read(expirations[:]); err != nil {
				return
			}
			ring()
		}
	})
	return a, nil
}

func (a *alarm) set(pause time.Duration) {
	if a == nil {
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(pause)))}
	// It fails for bad arguments alone, and then Go's timer still rings.
	_ = unix.TimerfdSettime(a.fd, 0, &spec, nil)
}

// close is called when set is no longer.
func (a *alarm) close() error {
	if a == nil {
		return nil
	}
	err := a.file.Close()
	a.stopped.Wait()
	return err
}
