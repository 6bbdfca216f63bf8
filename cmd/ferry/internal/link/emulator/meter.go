package emulator

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Meter samples the processor time of short sections of code. Enter and Leave
// are called by one goroutine at a time, Total by anyone. [NewMeter] makes it.
type Meter struct {
	entered int64
	sampled atomic.Int64  // ns
	reading time.Duration // what reading the clock costs
}

// sampleEvery is odd, so that sections of two kinds in turn are both sampled.
const sampleEvery = 17

// NewMeter measures the clock first, for some microseconds.
func NewMeter() *Meter {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := &Meter{reading: time.Hour}
	for range 32 {
		before := threadTime()
		m.reading = min(m.reading, threadTime()-before)
	}
	return m
}

// Enter begins a section; Leave takes what it returned.
func (m *Meter) Enter() (lap time.Duration) {
	m.entered++
	if m.entered%sampleEvery != 0 {
		return -1
	}
	runtime.LockOSThread() // the clock is the thread's
	return threadTime()
}

// Leave ends the section that Enter began.
func (m *Meter) Leave(lap time.Duration) {
	if lap < 0 {
		return
	}
	m.sampled.Add(int64(max(0, threadTime()-lap-m.reading)))
	runtime.UnlockOSThread()
}

// Total is the processor time of all sections, estimated from every 17th.
func (m *Meter) Total() time.Duration { return sampleEvery * time.Duration(m.sampled.Load()) }
