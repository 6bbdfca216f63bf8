package transporttest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

var hashSeed = maphash.MakeSeed()

// key identifies a message by its content and kind.
type key struct {
	text bool
	size int
	hash uint64
}

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

// pattern returns n bytes that differ for every seq.
func pattern(seq, n int) []byte {
	b := make([]byte, n)
	fill(b, seq)
	return b
}

func fill(b []byte, seq int) {
	var word [8]byte
	for i, x := 0, uint64(seq)*0x9E3779B97F4A7C15+uint64(len(b)); i < len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		x++
		binary.LittleEndian.PutUint64(word[:], x)
		copy(b[i:], word[:])
	}
}

// binaries returns one binary message of each size.
func binaries(sizes ...int) []transport.Message {
	list := make([]transport.Message, len(sizes))
	for i, n := range sizes {
		list[i].Data = pattern(i+1, n)
	}
	return list
}

func offer(ch transport.Channel, m transport.Message) error {
	if m.Text {
		return ch.SendText(string(m.Data))
	}
	return ch.Send(m.Data)
}

// send sends m, waiting for room as long as it takes.
func send(ctx context.Context, ch transport.Channel, m transport.Message) error {
	for {
		err := offer(ch, m)
		if !errors.Is(err, transport.ErrBufferFull) {
			return err
		}
		if err := awaitRoom(ctx, ch); err != nil {
			return err
		}
	}
}

// awaitRoom waits after ErrBufferFull: for half the buffer, or, if the queue
// is full of messages that count little or nothing, for a moment.
func awaitRoom(ctx context.Context, ch transport.Channel) error {
	low := properties(ch).MaxBuffered / 2
	if ch.BufferedAmount() > low {
		return transport.Drain(ctx, ch, low)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond):
		return nil
	}
}

// markerText begins the text that ends a transfer; no check sends it otherwise.
const markerText = "transporttest: end of transfer "

// transfer sends msgs from one end to the other and verifies what arrives by
// what the channel declares: all in order, all exactly once, or a part of it
// once. It ends when a marker sent behind them has arrived, so it also finds
// messages that arrive twice.
func transfer(ctx context.Context, from, to transport.Channel, msgs []transport.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	marker := transport.Message{Text: true, Data: fmt.Appendf(nil, "%s%x", markerText, rand.Uint64())}
	sent := make(chan error, 1)
	go func() { sent <- sendAll(ctx, from, msgs, marker) }()

	x := newExpectation(properties(from), msgs)
	markerSeen := false
	for !markerSeen || !x.complete() {
		m, err := to.Receive(ctx)
		if err != nil {
			select {
			case sendErr := <-sent:
				if sendErr != nil {
					return sendErr
				}
			default:
			}
			return fmt.Errorf("receive: %w after %d of %d messages", err, x.seen, len(msgs))
		}
		if m.Text && string(m.Data) == string(marker.Data) {
			markerSeen = true
			if err := x.markerArrived(); err != nil {
				return err
			}
			continue
		}
		if err := x.add(m); err != nil {
			return err
		}
	}
	cancel()
	if err := <-sent; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// sendAll sends msgs, then the marker: once, or again and again where it may
// be lost.
func sendAll(ctx context.Context, ch transport.Channel, msgs []transport.Message, marker transport.Message) error {
	for i, m := range msgs {
		if err := send(ctx, ch, m); err != nil {
			return fmt.Errorf("send message %d of %d bytes: %w", i, len(m.Data), err)
		}
	}
	for {
		if err := send(ctx, ch, marker); err != nil {
			return fmt.Errorf("send a text message of %d bytes: %w", len(marker.Data), err)
		}
		if properties(ch).Reliable {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// expectation is what may still arrive.
type expectation struct {
	ordered, reliable bool
	sequence          []key       // what was sent
	next              int         // position in sequence, if ordered
	open              map[key]int // how often each may still arrive, if unordered
	seen              int
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

// add accounts for one arrived message.
func (x *expectation) add(m transport.Message) error {
	k := keyOf(m)
	x.seen++
	if !x.ordered {
		if x.open[k] == 0 {
			return fmt.Errorf("a %v arrived that was not sent, or twice", k)
		}
		x.open[k]--
		return nil
	}
	for i := x.next; i < len(x.sequence); i++ {
		if x.sequence[i] == k {
			x.next = i + 1
			return nil
		}
		if x.reliable {
			return fmt.Errorf("message %d is a %v, want the %v that was sent as such", x.next, k, x.sequence[i])
		}
	}
	return fmt.Errorf("a %v arrived that was not sent, or twice, or late", k)
}

// markerArrived verifies that nothing is missing that the marker cannot have
// overtaken.
func (x *expectation) markerArrived() error {
	if x.ordered && x.reliable && x.seen < len(x.sequence) {
		return fmt.Errorf("message %d of %d, a %v, did not arrive", x.seen, len(x.sequence), x.sequence[x.seen])
	}
	return nil
}

// complete reports whether nothing more must arrive.
func (x *expectation) complete() bool { return !x.reliable || x.seen == len(x.sequence) }

// works verifies that the channel carries messages both ways.
func works(ctx context.Context, a, b transport.Channel) error {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	if err := transfer(ctx, a, b, binaries(1, 1000)); err != nil {
		return err
	}
	return transfer(ctx, b, a, binaries(1, 1000))
}

// stillWorks is works after something that must have changed nothing.
func stillWorks(ctx context.Context, a, b transport.Channel, after string) error {
	if err := works(ctx, a, b); err != nil {
		return fmt.Errorf("after %s the channel does not work: %w", after, err)
	}
	return nil
}
