package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// beBatch tells the scheduler that this process wants throughput: it does not
// interrupt others when a packet wakes it, among them the process that sends
// the packets. On two processors QUIC is about a sixth faster so, because more
// of them are there when it is its turn. It is a favour of the kernel's: a
// refusal changes nothing else.
func beBatch() {
	for known, more := map[string]bool{}, true; more; { // threads inherit it
		more = false
		threads, _ := os.ReadDir("/proc/self/task")
		for _, thread := range threads {
			if !known[thread.Name()] {
				known[thread.Name()], more = true, true
				id, _ := strconv.Atoi(thread.Name())
				if attr, err := unix.SchedGetAttr(id, 0); err == nil && attr.Policy == unix.SCHED_NORMAL {
					attr.Policy = unix.SCHED_BATCH
					_ = unix.SchedSetAttr(id, attr, 0)
				}
			}
		}
	}
}
