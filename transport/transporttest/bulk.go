package transporttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/chunkferry/chunkferry/transport"
)

// everyMessage sends 256 MiB, or 32 if quick, and compares every byte.
func everyMessage(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	p := properties(a)
	x := newBulk(p, e.times(256<<20, 32<<20))
	return e.exchange(ctx, a, b, x, nil, func(ctx context.Context) error {
		buf := make([]byte, x.size)
		for i := range x.arrived {
			x.message(buf, i)
			if err := send(ctx, a, transport.Message{Data: buf}); err != nil {
				return fmt.Errorf("send message %d of %d: %w", i, len(x.arrived), err)
			}
		}
		return nil
	})
}

// bulk is the ledger of many large messages that keeps none of them: each is
// its number and a window into the same noise.
type bulk struct {
	ordered, reliable bool
	noise             []byte
	size              int
	arrived           []bool
	seen              int
	last              int // number of the last to arrive
}

func newBulk(p transport.Properties, total int) *bulk {
	size := min(p.MaxMessageSize, 48<<10)
	return &bulk{
		ordered:  p.Ordered,
		reliable: p.Reliable,
		noise:    pattern(0, size+1<<16),
		size:     size,
		arrived:  make([]bool, total/size),
		last:     -1,
	}
}

// window returns the content of message i behind its number.
func (x *bulk) window(i int) []byte {
	offset := i * 7919 % (1 << 16)
	return x.noise[offset : offset+x.size-8]
}

func (x *bulk) message(buf []byte, i int) {
	binary.LittleEndian.PutUint64(buf, uint64(i))
	copy(buf[8:], x.window(i))
}

func (x *bulk) add(m transport.Message) error {
	if m.Text || len(m.Data) != x.size {
		return fmt.Errorf("a %v arrived, every message has %d bytes", keyOf(m), x.size)
	}
	i := binary.LittleEndian.Uint64(m.Data)
	switch {
	case i >= uint64(len(x.arrived)) || !bytes.Equal(m.Data[8:], x.window(int(i))):
		return fmt.Errorf("after %d of %d messages the content is not what was sent", x.seen, len(x.arrived))
	case x.arrived[i]:
		return fmt.Errorf("message %d arrived twice", i)
	case x.ordered && int(i) <= x.last:
		return fmt.Errorf("message %d arrived after %d", i, x.last)
	}
	x.arrived[i] = true
	x.last = int(i)
	x.seen++
	return nil
}

func (x *bulk) complete() bool { return !x.reliable || x.seen == len(x.arrived) }

func (x *bulk) missing() error {
	return fmt.Errorf("%d of %d messages arrived", x.seen, len(x.arrived))
}
