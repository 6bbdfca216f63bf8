package transporttest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// faulty is one end of a correct link with some of its methods replaced. A nil
// hook is the correct method.
type faulty struct {
	*memchan.Channel
	peer *faulty
	mu   sync.Mutex // for the hooks' own state, shared by both ends where they like

	state      func() transport.State
	amount     func() int
	send       func(m transport.Message) error
	receive    func(ctx context.Context) (transport.Message, error)
	drain      func(ctx context.Context, low int) error
	close      func() error
	closeWrite func() error
	abort      func() error
	properties func() transport.Properties

	lastReceive  func() int64 // for the peer's hooks, in Unix nanoseconds
	endedWriting func() bool  // for the peer's hooks
	closing      atomic.Bool  // for the peer's hooks
}

// inner sends on the correct channel.
func (f *faulty) inner(m transport.Message) error { return offer(f.Channel, m) }

func (f *faulty) ReadyState() transport.State {
	if f.state != nil {
		return f.state()
	}
	return f.Channel.ReadyState()
}

func (f *faulty) BufferedAmount() int {
	if f.amount != nil {
		return f.amount()
	}
	return f.Channel.BufferedAmount()
}

func (f *faulty) Send(msg []byte) error {
	if f.send != nil {
		return f.send(transport.Message{Data: msg})
	}
	return f.Channel.Send(msg)
}

func (f *faulty) SendText(msg string) error {
	if f.send != nil {
		return f.send(text(msg))
	}
	return f.Channel.SendText(msg)
}

func (f *faulty) Receive(ctx context.Context) (transport.Message, error) {
	if f.receive != nil {
		return f.receive(ctx)
	}
	return f.Channel.Receive(ctx)
}

func (f *faulty) Drain(ctx context.Context, low int) error {
	if f.drain != nil {
		return f.drain(ctx, low)
	}
	return f.Channel.Drain(ctx, low)
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.Channel.Close()
}

func (f *faulty) CloseWrite() error {
	if f.closeWrite != nil {
		return f.closeWrite()
	}
	return f.Channel.CloseWrite()
}

func (f *faulty) Abort() error {
	if f.abort != nil {
		return f.abort()
	}
	return f.Channel.Abort()
}

func (f *faulty) Properties() transport.Properties {
	if f.properties != nil {
		return f.properties()
	}
	return f.Channel.Properties()
}

// faultyLink returns a link whose ends both have the fault.
func faultyLink(opts memchan.Options, fault func(f *faulty)) (a, b *faulty) {
	x, y := memchan.New(&opts)
	a, b = &faulty{Channel: x}, &faulty{Channel: y}
	a.peer, b.peer = b, a
	if fault != nil {
		fault(a)
		fault(b)
	}
	return a, b
}
