package transporttest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
)

// stalling names the checks that fill a channel whose peer does not read.
var stalling = []string{
	"send-does-not-wait", "send-whole-or-nothing", "never-twice", "amount-exact", "amount-refused", "methods-at-once",
	"drain-at-once", "drain-zero", "drain-level", "drain-cancel", "drain-together", "abort-here", "buffer-full",
	"close-undelivered", "close-never-looks-whole", "close-wakes-drain",
}

// pressing names the checks that send until they are refused.
var pressing = append([]string{"every-message", "slow-reader", "echo", "bounds", "order", "amount-range", "many-channels",
	"many-senders", "both-directions", "fragment-edges", "powers-of-two", "size-max", "close-while-sending",
	"close-delivers", "text-and-binary", "receive-stable", "half-close"}, stalling...)

// mutants returns the table, with a fault for every check, and more where a
// rule can be broken in more than one way that people have tried.
func mutants(t *testing.T) []*mutant {
	return slices.Concat(stateMutants(), sendMutants(), ownershipMutants(), messageMutants(), amountMutants(),
		concurrencyMutants(), receiveMutants(), drainMutants(), endMutants(), closeMutants(),
		leakMutants(t), deathMutants(), backpressureMutants(), halfCloseMutants())
}

func stateMutants() []*mutant {
	return []*mutant{
		{check: "state-open", name: "connecting until used", fault: func(f *faulty) {
			var used atomic.Bool
			f.send = func(m transport.Message) error { used.Store(true); return f.inner(m) }
			f.state = func() transport.State {
				s := f.Channel.ReadyState()
				if s == transport.StateOpen && !used.Load() {
					return transport.StateConnecting
				}
				return s
			}
		}},
		{check: "state-forward", name: "open once more after the end", fault: func(f *faulty) {
			var ended atomic.Int32
			f.state = func() transport.State {
				s := f.Channel.ReadyState()
				if s > transport.StateOpen && ended.Add(1) == 3 {
					return transport.StateOpen
				}
				return s
			}
		}},
		{check: "state-closed", name: "closing for ever", fault: func(f *faulty) {
			f.state = func() transport.State { return min(f.Channel.ReadyState(), transport.StateClosing) }
		}, also: []string{"abort-peer", "abort-here", "cut-idle", "cut-sending", "cut-arrived"}},
	}
}

func sendMutants() []*mutant {
	return []*mutant{
		{check: "send-does-not-wait", name: "waits for room", fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				for {
					err := f.inner(m)
					if !errors.Is(err, transport.ErrBufferFull) || f.Channel.Drain(context.Background(), 10_000) != nil {
						return err
					}
				}
			}
		}, also: pressing},
		{check: "send-whole-or-nothing", name: "sends what it refused", fault: func(f *faulty) {
			var refused []transport.Message
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				err := f.inner(m)
				switch {
				case errors.Is(err, transport.ErrBufferFull) && refused == nil:
					refused = append(refused, transport.Message{Data: bytes.Clone(m.Data), Text: m.Text})
				case err == nil && refused != nil && f.inner(refused[0]) == nil:
					refused = nil
				}
				return err
			}
		}, also: pressing},
	}
}

func ownershipMutants() []*mutant {
	return []*mutant{
		{check: "send-copies", name: "keeps one-KiB blocks by reference", fault: func(f *faulty) {
			var kept [][]byte
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				err := f.inner(m)
				if err == nil && len(m.Data) == 1<<10 {
					kept = append(kept, m.Data)
				}
				return err
			}
			take := func() []byte {
				f.mu.Lock()
				defer f.mu.Unlock()
				data := kept[0]
				kept = kept[1:]
				return bytes.Clone(data)
			}
			f.peer.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.peer.Channel.Receive(ctx)
				if len(m.Data) == 1<<10 {
					m.Data = take()
				}
				return m, err
			}
		}},
		{check: "send-changes-nothing", name: "masks the caller's bytes in place", fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if err == nil && len(m.Data) == 777 {
					m.Data[0] ^= 0x55
				}
				return err
			}
		}},
		{check: "receive-owned", name: "hands out one copy of equal messages", fault: func(f *faulty) {
			seen := map[string][]byte{}
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				if len(m.Data) == 0 || len(m.Data) > 32 {
					return m, err
				}
				known, ok := seen[string(m.Data)]
				if !ok {
					known = bytes.Clone(m.Data)
					seen[string(m.Data)] = known
				}
				m.Data = known
				return m, err
			}
		}},
		{check: "receive-stable", name: "sends through the buffer it received into", fault: func(f *faulty) {
			var last []byte
			f.receive = func(ctx context.Context) (transport.Message, error) {
				m, err := f.Channel.Receive(ctx)
				f.mu.Lock()
				defer f.mu.Unlock()
				last = m.Data
				return m, err
			}
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				f.mu.Lock()
				defer f.mu.Unlock()
				if len(m.Data) == 25 {
					copy(last, m.Data)
				}
				return err
			}
		}},
	}
}

// edits returns a fault that rewrites what is sent; nil swallows it.
func edits(edit func(m transport.Message) *transport.Message) func(*faulty) {
	return func(f *faulty) {
		f.send = func(m transport.Message) error {
			if len(m.Data) > f.Channel.Properties().MaxMessageSize {
				return f.inner(m)
			}
			edited := edit(m)
			if edited == nil {
				return nil
			}
			return f.inner(*edited)
		}
	}
}

// truncates returns a fault that loses the last byte of messages of some size.
func truncates(from, to int) func(*faulty) {
	return edits(func(m transport.Message) *transport.Message {
		if from <= len(m.Data) && len(m.Data) <= to {
			m.Data = m.Data[:len(m.Data)-1]
		}
		return &m
	})
}

func messageMutants() []*mutant {
	return []*mutant{
		{check: "bounds", name: "truncates at odd sizes", fault: truncates(3000, 3999)},
		{check: "bounds", name: "cuts a message in two", fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				if len(m.Data) < 3000 || len(m.Data) > 3999 {
					return f.inner(m)
				}
				if err := f.inner(transport.Message{Data: m.Data[:1500]}); err != nil {
					return err
				}
				return f.inner(transport.Message{Data: m.Data[1500:]})
			}
		}},
		{check: "fragment-edges", name: "truncates one byte above 16 KiB", fault: truncates(16385, 16385)},
		{check: "powers-of-two", name: "truncates at 2 KiB", fault: truncates(2048, 2048)},
		{check: "empty-binary", name: "swallows empty binary", fault: edits(func(m transport.Message) *transport.Message {
			if len(m.Data) == 0 && !m.Text {
				return nil
			}
			return &m
		}), also: []string{"amount-empty", "send-after-eof", "send-after-close", "abort-peer", "abort-here", "half-close", "half-close-both"}},
		{check: "empty-text", name: "swallows empty text", fault: edits(func(m transport.Message) *transport.Message {
			if len(m.Data) == 0 && m.Text {
				return nil
			}
			return &m
		}), also: []string{"amount-empty"}},
		{check: "text-and-binary", name: "takes JSON for text", fault: edits(func(m transport.Message) *transport.Message {
			if string(m.Data) == "{}" {
				m.Text = true
			}
			return &m
		})},
		{check: "text-bytes", name: "strips a byte order mark", fault: edits(func(m transport.Message) *transport.Message {
			if m.Text {
				m.Data = bytes.TrimPrefix(m.Data, []byte("\ufeff"))
			}
			return &m
		})},
		{check: "binary-bytes", name: "translates line ends", fault: edits(func(m transport.Message) *transport.Message {
			if string(m.Data) == "\r\n" {
				m.Data = []byte("\n")
			}
			return &m
		})},
		{check: "never-twice", name: "repeats what was refused once", fault: func(f *faulty) {
			refused := false
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				err := f.inner(m)
				if err == nil && refused && f.inner(m) == nil {
					refused = false
				}
				refused = refused || errors.Is(err, transport.ErrBufferFull)
				return err
			}
		}, also: pressing},
		{check: "every-message", name: "loses the 500th large message", fault: func(f *faulty) {
			var n atomic.Int32
			f.send = func(m transport.Message) error {
				if len(m.Data) == 48<<10 && n.Add(1) == 500 {
					return nil
				}
				return f.inner(m)
			}
		}},
		{check: "many-channels", name: "wedges the seventh channel with large messages", make: func() func(*faulty) {
			var links atomic.Int32
			return func(f *faulty) {
				mine := int32(0)
				f.send = func(m transport.Message) error {
					f.mu.Lock()
					defer f.mu.Unlock()
					if len(m.Data) == transport.MessageSizeFloor && mine == 0 {
						mine = links.Add(1)
					}
					if mine > 6 {
						return nil
					}
					return f.inner(m)
				}
			}
		}},
		{check: "text-invalid", name: "repairs invalid text", fault: edits(func(m transport.Message) *transport.Message {
			if m.Text {
				m.Data = bytes.ToValidUTF8(m.Data, []byte("\ufffd"))
			}
			return &m
		}), also: []string{"amount-refused"}},
		{check: "size-floor", name: "carries 32 KiB only", fault: func(f *faulty) {
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.MaxMessageSize = 32 << 10
				return p
			}
			f.send = func(m transport.Message) error {
				if len(m.Data) > 32<<10 {
					return &transport.SizeError{Size: len(m.Data), Limit: 32 << 10}
				}
				return f.inner(m)
			}
		}, also: []string{"many-channels", "amount-idle"}},
		{check: "size-max", name: "loses the largest message", fault: edits(func(m transport.Message) *transport.Message {
			if len(m.Data) == 100_000 {
				return nil
			}
			return &m
		})},
		{check: "size-too-large", name: "does not say how large", fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if errors.Is(err, transport.ErrTooLarge) {
					return transport.ErrTooLarge
				}
				return err
			}
		}},
		{check: "size-too-large", name: "dies of it", fault: func(f *faulty) {
			f.send = func(m transport.Message) error {
				err := f.inner(m)
				if errors.Is(err, transport.ErrTooLarge) {
					_ = f.Channel.Abort()
				}
				return err
			}
		}, also: []string{"amount-refused"}},
		{check: "order", name: "swaps two neighbours", fault: func(f *faulty) {
			var n int
			var held *transport.Message
			f.send = func(m transport.Message) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if len(m.Data) == 8 {
					n++
				}
				if n == 1000 && len(m.Data) == 8 && held == nil {
					held = &transport.Message{Data: bytes.Clone(m.Data)}
					return nil
				}
				err := f.inner(m)
				if err == nil && held != nil {
					err = f.inner(*held)
					held = nil
				}
				return err
			}
		}},
		{check: "order", name: "loses one of an unordered channel", fault: func(f *faulty) {
			var n atomic.Int32
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.Ordered = false
				return p
			}
			f.send = func(m transport.Message) error {
				if len(m.Data) == 8 && n.Add(1) == 1000 {
					return nil
				}
				return f.inner(m)
			}
		}},
		{check: "bounds", name: "tears what a lossy channel delivers", fault: func(f *faulty) {
			f.properties = func() transport.Properties {
				p := f.Channel.Properties()
				p.Reliable = false
				return p
			}
			truncates(3000, 3999)(f)
		}},
	}
}
