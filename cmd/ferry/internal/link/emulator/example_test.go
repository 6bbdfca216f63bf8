package emulator_test

import (
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

func Example() {
	arrived := make(chan string)
	p, err := emulator.New(emulator.Config{
		Rate:  1e6,
		Queue: 3000,
		Delay: 20 * time.Millisecond,
	}, func(packet []byte) { arrived <- string(packet[:1]) }, &emulator.Options{FineTimer: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	start := time.Now()
	for _, name := range "abcdef" { // one is sent, two wait, three are dropped
		p.Send(append([]byte(string(name)), make([]byte, 1249)...)) // 10 ms at 1 Mbit/s
	}
	for range 3 {
		fmt.Println(<-arrived, "after 30 ms or more:", time.Since(start) >= 30*time.Millisecond)
	}
	fmt.Println("dropped by the queue:", p.Stats().DroppedQueue.Packets)
	// Output:
	// a after 30 ms or more: true
	// b after 30 ms or more: true
	// c after 30 ms or more: true
	// dropped by the queue: 3
}
