package transporttest

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"

	"github.com/chunkferry/chunkferry/transport"
)

// pattern returns n bytes that differ for every seq.
func pattern(seq, n int) []byte {
	b := make([]byte, n)
	fill(b, seq)
	return b
}

// fill is pattern into an existing slice: xorshift, seeded with seq and length.
func fill(b []byte, seq int) {
	x := uint64(seq+1)*0x9E3779B97F4A7C15 + uint64(len(b))
	for len(b) > 0 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if len(b) >= 8 {
			binary.LittleEndian.PutUint64(b, x)
			b = b[8:]
			continue
		}
		for i := range b {
			b[i] = byte(x >> (8 * i))
		}
		return
	}
}

// binaries returns one binary message of each size, all different where the
// size allows it.
func binaries(sizes ...int) []transport.Message {
	list := make([]transport.Message, len(sizes))
	for i, n := range sizes {
		list[i].Data = pattern(i, n)
	}
	return list
}

// same returns n binary messages of one size.
func same(n, size int) []transport.Message {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return binaries(sizes...)
}

// key identifies a message by its content and kind.
type key struct {
	text bool
	size int
	hash uint64
}

var hashSeed = maphash.MakeSeed()

func keyOf(m transport.Message) key {
	return key{m.Text, len(m.Data), maphash.Bytes(hashSeed, m.Data)}
}

func (k key) String() string {
	kind := "binary"
	if k.text {
		kind = "text"
	}
	return fmt.Sprintf("%s message of %d bytes", kind, k.size)
}

// expectation is the ledger of a list of messages sent one after the other.
type expectation struct {
	ordered, reliable bool
	sequence          []key       // as sent
	next              int         // position in sequence, if ordered
	open              map[key]int // how often each may still arrive
	seen              int
	earlier           *expectation // whose messages may still be under way, if any
}

func newExpectation(p transport.Properties, msgs []transport.Message) *expectation {
	x := &expectation{ordered: p.Ordered, reliable: p.Reliable, open: map[key]int{}}
	for _, m := range msgs {
		k := keyOf(m)
		x.sequence = append(x.sequence, k)
		x.open[k]++
	}
	return x
}

func (x *expectation) add(m transport.Message) error {
	if !x.reliable && isMarker(m) {
		return nil
	}
	k := keyOf(m)
	if x.open[k] == 0 && x.earlier != nil {
		return x.earlier.add(m)
	}
	if x.open[k] == 0 {
		return fmt.Errorf("after %d of %d messages a %v arrived that was not sent like that, or not so often", x.seen, len(x.sequence), k)
	}
	x.open[k]--
	x.seen++
	if !x.ordered {
		return nil
	}
	for x.next < len(x.sequence) {
		sent := x.sequence[x.next]
		x.next++
		if sent == k {
			return nil
		}
		if x.reliable {
			return fmt.Errorf("a %v arrived as message %d, want the %v that was sent then", k, x.next-1, sent)
		}
	}
	return fmt.Errorf("a %v arrived after messages that were sent later", k)
}

func (x *expectation) complete() bool { return !x.reliable || x.seen == len(x.sequence) }

func (x *expectation) missing() error {
	for i, k := range x.sequence {
		if x.open[k] > 0 {
			return fmt.Errorf("%d of %d messages arrived, message %d, a %v, did not", x.seen, len(x.sequence), i, k)
		}
	}
	return nil
}
