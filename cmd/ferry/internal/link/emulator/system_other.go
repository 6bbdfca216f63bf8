//go:build !linux

package emulator

import "time"

var processStart = time.Now()

// threadTime is elapsed time, which is never less than processor time.
func threadTime() time.Duration { return time.Since(processStart) }

// alarm is Linux's.
type alarm struct{}

func newAlarm(func()) (*alarm, error) { return nil, nil }

func (*alarm) set(time.Duration) {}

func (*alarm) close() error { return nil }
