package emulator

import (
	"runtime"
	"time"
)

// meter samples the processor time of short sections that do not overlap.
type meter struct {
	entered int64
	sampled time.Duration
	reading time.Duration // what reading the clock costs
}

func newMeter() meter {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := meter{reading: time.Hour}
	for range 32 {
		m.reading = min(m.reading, -threadTime()+threadTime())
	}
	return m
}

// sampleEvery is odd, so that sections of two kinds in turn are both sampled.
const sampleEvery = 17

// enter begins a section; leave takes what it returned.
func (m *meter) enter() (lap time.Duration) {
	m.entered++
	if m.entered%sampleEvery != 0 {
		return -1
	}
	runtime.LockOSThread() // the clock is the thread's
	return threadTime()
}

func (m *meter) leave(lap time.Duration) {
	if lap < 0 {
		return
	}
	m.sampled += max(0, threadTime()-lap-m.reading)
	runtime.UnlockOSThread()
}

func (m *meter) total() time.Duration { return m.sampled * sampleEvery }
