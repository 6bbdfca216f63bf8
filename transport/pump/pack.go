package pump

import "github.com/chunkferry/chunkferry/transport"

const (
	// tinyMessage is the largest payload, in bytes, that is packed.
	tinyMessage = 16

	// packSize is the most, in bytes, that one pack holds.
	packSize = 64 << 10

	// maxPacked is the most, in bytes, that all packs of an inbox hold: eight
	// million empty messages.
	maxPacked = 8 << 20

	// packedText marks a text message in the byte before its payload, whose
	// other bits are the length.
	packedText = 0x80
)

// putTiny appends msg to the newest pack.
func (i *Inbox) putTiny(msg []byte, text bool) (ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	cost := 1 + len(msg)
	switch {
	case i.discard:
		return true
	case i.packed+cost > maxPacked:
		return false
	}
	if i.queue.size == 0 || !i.queue.back().pack || len(i.queue.back().buf)+cost > packSize {
		i.queue.push(entry{pack: true})
	}
	head := byte(len(msg))
	if text {
		head |= packedText
	}
	e := i.queue.back()
	e.buf = append(append(e.buf, head), msg...)
	i.packed += cost
	signal(i.ready)
	return true
}

// unpack takes the oldest message out of the oldest pack.
func (i *Inbox) unpack() transport.Message {
	e := i.queue.front()
	n := 1 + int(e.buf[0]&^packedText)
	m := transport.Message{Data: e.buf[1:n:n], Text: e.buf[0]&packedText != 0}
	e.buf = e.buf[n:]
	i.packed -= n
	if len(e.buf) == 0 {
		i.queue.pop()
	}
	return m
}
