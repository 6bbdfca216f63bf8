package pump

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
)

// Sizes around the smallest block, and mixtures, must neither disturb what
// Receive has lent nor what is queued.
func TestBlocksKeepMessagesApart(t *testing.T) {
	sizes := []int{0, 1, 511, 512, 513, 48 << 10, smallestBlock - 1, smallestBlock, smallestBlock + 1, 1 << 20}
	wa, wb := newWires(4)
	a, b := New(wa, testConfig), New(wb, testConfig)
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 400
	pick := make([]int, n)
	for i := range pick {
		pick[i] = sizes[rng.IntN(len(sizes))]
	}
	go func() {
		msg := make([]byte, 1<<20)
		for i, size := range pick {
			for j := range msg[:size] {
				msg[j] = byte(i)
			}
			if err := transport.Drain(t.Context(), a, 4<<20); err != nil {
				t.Error(err)
			}
			if err := a.Send(msg[:size]); err != nil {
				t.Error(err)
			}
		}
		a.Close()
	}()
	for i, size := range pick {
		m, err := b.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			runtime.Gosched() // others arrive meanwhile
		}
		if len(m.Data) != size || bytes.Count(m.Data, []byte{byte(i)}) != size {
			t.Fatalf("message %d: %d bytes, want %d of %d", i, len(m.Data), size, byte(i))
		}
	}
	b.Close()
}
