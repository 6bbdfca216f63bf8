package main

import (
	"math"
	"runtime/debug"
)

// What a process of ferry occupies at most, in bytes; docs/transfers.md has the
// same numbers. Pipeline bounds the content; the rest is the program, the
// runtime and the windows of the carriers.
const (
	memoryBase   = 64 << 20
	memoryWebRTC = 128 << 20 // instead, where WebRTC may be used
	memorySender = 32 << 20  // content of blocks: the default of pipeline.SendOptions.MaxBuffered
	memoryQueue  = 16 << 20  // of a sender's channel
	memoryServer = 256 << 20 // content: the default of pipeline.ServerOptions.MaxBuffered
	memoryCode   = 28 << 20  // of the base: what is not Go's heap
)

// boundMemory makes the garbage collector keep to a bound, which it would
// otherwise exceed by the garbage that it lets grow as large as the rest. A
// user's GOMEMLIMIT is left alone.
func boundMemory(bound int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(bound - memoryCode)
	}
}
