package emulator_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNoAllocationPerPacket, once the buffers have grown to what is needed.
func TestNoAllocationPerPacket(t *testing.T) {
	arrived := make(chan struct{}, 1000)
	p, err := emulator.New(emulator.Config{
		Rate: 10e9, Queue: 1 << 20, Delay: 100 * time.Microsecond, Jitter: 10 * time.Microsecond,
		Loss: emulator.Loss{GoodToBad: 0.01, BadToGood: 0.5}, Reorder: 0.1, ReorderBy: time.Microsecond, Corrupt: 0.1,
		Outages: []emulator.Outage{{Start: time.Hour, Length: time.Second}},
	}, func([]byte) { arrived <- struct{}{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	packet := make([]byte, 1500)
	hundred := func() {
		for range 100 {
			p.Send(packet)
		}
		for range 100 {
			<-arrived
		}
	}
	for range 10 {
		hundred()
	}
	if n := testing.AllocsPerRun(50, hundred); n > 1 { // of the runtime, now and then
		t.Errorf("%v allocations for 100 packets", n)
	}
}

// TestCPUIsMeasured: who does nothing but send for a while spends most of it in
// the Pipe, and never more than all of it.
func TestCPUIsMeasured(t *testing.T) {
	p, err := emulator.New(emulator.Config{Loss: emulator.Loss{Good: 1}}, func([]byte) {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	packet := make([]byte, 1500)
	start := time.Now()
	for time.Since(start) < 200*time.Millisecond {
		p.Send(packet)
	}
	took := time.Since(start)
	s := p.Stats()
	t.Logf("%v of %v for %d packets", s.CPU, took, s.Offered.Packets)
	if s.CPU < took/50 || s.CPU > took+took/2 {
		t.Errorf("%v of CPU in %v", s.CPU, took)
	}
}

func BenchmarkPipe(b *testing.B) {
	for _, bench := range []struct {
		name string
		cfg  emulator.Config
	}{
		{"unshaped", emulator.Config{}},
		{"shaped", emulator.Config{
			Rate: 50e9, Queue: 1 << 26, Delay: time.Millisecond, Jitter: 100 * time.Microsecond, Loss: emulator.Loss{Good: 0.01},
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := emulator.New(bench.cfg, func([]byte) {}, &emulator.Options{FineTimer: true})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			packet := make([]byte, 1500)
			b.SetBytes(1500)
			b.ReportAllocs()
			for b.Loop() {
				p.Send(packet)
			}
		})
	}
}
