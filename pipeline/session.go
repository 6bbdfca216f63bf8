package pipeline

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
)

// session is a channel at the receiver.
type session struct {
	srv    *Server
	peer   string
	ctx    context.Context
	cancel context.CancelCauseFunc
	began  time.Time
	wire   *wire
	limit  *limiter
	nonce  string

	heard atomic.Int64 // nanoseconds since began when the sender last spoke
	asked atomic.Int64 // nanoseconds since began when it last went on asking for a transfer
	bytes atomic.Int64 // payload received

	// of the receiving goroutine
	greeted bool
	offered *offer // its entries are still coming
	open    map[uint32]*incoming
	last    *incoming // of the latest chunk
	claim   claim
	order   uint64 // of the channel among those accepted
	credit  int64
	charged int64 // memory of offered

	t    atomic.Pointer[transfer] // once attached
	live atomic.Bool              // accept was sent
	busy atomic.Bool              // waits for the sink, and does not listen

	mu       sync.Mutex // guards the fields below
	acked    []uint32   // to be acknowledged
	settled  int64      // bytes of acked
	asking   []uint32   // to be asked for again
	inflight int64      // announced, not written
	told     bool       // of the transfer's end
	news     chan struct{}
}

// incoming is a block on its way.
type incoming struct {
	block
	buf   []byte // nil if it is not needed
	n     int    // bytes there
	index uint32 // of the next chunk
	total uint32 // of chunks, 0 before the first
}

// heartbeat is how often the receiver speaks at least.
const heartbeat = 500 * time.Millisecond

func (v *session) log() *slog.Logger {
	log := v.srv.opts.Logger.With("peer", v.peer)
	if t := v.t.Load(); t != nil {
		log = log.With("id", t.manifest.ID)
	}
	return log
}

// run serves the channel to its end.
func (v *session) run() error {
	v.open = make(map[uint32]*incoming)
	v.news = make(chan struct{}, 1)
	v.nonce = rand.Text()
	o := &v.srv.opts
	hello := &helloR{
		Protocols: []string{Protocol}, Nonce: v.nonce, Auth: o.Token != "",
		Limits: limits{Size: o.MaxSize, Files: o.MaxFiles, BlockSize: int(min(o.Window, maxBlockSize)), Channels: o.MaxChannels},
	}
	if err := v.wire.text(v.ctx, hello); err != nil {
		return err
	}
	var speaking sync.WaitGroup
	speaking.Go(v.speak)
	err := v.receive()
	v.cancel(errConcluded)
	speaking.Wait()
	if t := v.t.Load(); t != nil {
		t.detach(v)
	}
	v.srv.refund(v.credit + v.charged)
	if v.told {
		select {
		case <-v.t.Load().over:
			return v.t.Load().err
		default:
		}
	}
	return err
}

// receive handles what the sender says.
func (v *session) receive() error {
	for {
		m, err := v.wire.ch.Receive(v.ctx)
		if err == io.EOF {
			return nil
		} else if err != nil {
			if cause := context.Cause(v.ctx); cause != nil {
				return cause
			}
			return err
		}
		v.heard.Store(int64(time.Since(v.began)))
		if m.Text {
			err = v.control(m.Data)
		} else {
			err = v.chunk(m.Data)
		}
		if err != nil {
			return err
		}
	}
}

// control handles a control message.
func (v *session) control(data []byte) error {
	msg, err := decode(data, fromSender)
	if err != nil {
		return err
	}
	switch m := msg.(type) {
	case *helloS:
		return v.greet(m)
	case *ping:
		if m.ID != 0 {
			return v.wire.text(v.ctx, &pong{ID: m.ID})
		}
		return nil
	case *pong, nil:
		return nil
	}
	if !v.greeted {
		return protocolError("no hello first")
	}
	t := v.t.Load()
	switch m := msg.(type) {
	case *offer:
		if t != nil || v.offered != nil {
			return protocolError("offer repeated")
		}
		return v.offer(m)
	case *entries:
		if v.offered == nil {
			return protocolError("entries without an offer")
		}
		return v.gather(m.Entries)
	case *join:
		if t != nil || v.offered != nil {
			return protocolError("join repeated")
		}
		return v.join(m)
	case *cancel:
		err := &CancelError{Reason: clip(m.Reason), ByPeer: true}
		if m.Discard {
			err.cause = ErrDiscard
		}
		if t != nil {
			t.stop(err)
		}
		return err
	case *failure:
		err := &PeerError{Code: m.Code, Message: clip(m.Message), Path: clip(m.Path)}
		if t != nil {
			t.stop(err)
		}
		return err
	}
	if t == nil {
		return protocolError("no transfer on this channel")
	}
	switch m := msg.(type) {
	case *block:
		return v.announce(t, m)
	case *hashes:
		if differ := t.compare(m); len(differ) > 0 {
			v.log().Warn("kept blocks differ from the source", "blocks", differ)
			v.ask(differ)
		}
	case *done:
		return t.finish(m)
	}
	return nil
}

// greet checks the sender's hello.
func (v *session) greet(m *helloS) error {
	switch {
	case v.greeted:
		return protocolError("hello repeated")
	case m.Protocol != Protocol:
		return fmt.Errorf("%w: the sender speaks %q", ErrVersion, clip(m.Protocol))
	}
	if token := v.srv.opts.Token; token != "" && !hmac.Equal([]byte(m.Proof), []byte(proof(token, v.nonce))) {
		return ErrUnauthorized
	}
	v.greeted = true
	return nil
}

// announce opens a block.
func (v *session) announce(t *transfer, m *block) error {
	if v.open[m.Block] != nil {
		return protocolError("block %d announced twice", m.Block)
	}
	v.mu.Lock()
	v.inflight += int64(m.Size)
	over := v.inflight > v.credit
	v.mu.Unlock()
	if over {
		return protocolError("block %d exceeds the credit of %d bytes", m.Block, v.credit)
	}
	buf, err := t.announce(m)
	if errors.Is(err, ErrLimit) {
		t.stop(err) // no other channel can do better
	}
	if err != nil {
		return err
	}
	v.open[m.Block] = &incoming{block: *m, buf: buf}
	return nil
}

// chunk places a chunk of an open block.
func (v *session) chunk(data []byte) error {
	h, payload, err := chunker.ParseFrame(data)
	if err != nil {
		return protocolError("%w", err)
	}
	in := v.last
	if in == nil || in.Block != h.Frame {
		if in = v.open[h.Frame]; in == nil {
			return protocolError("chunk of block %d, which was not announced", h.Frame)
		}
		v.last = in
	}
	if in.total == 0 {
		in.total = h.Total
	}
	if h.Total != in.total || h.Index != in.index || len(payload) > in.Size-in.n || len(payload) == 0 {
		return protocolError("chunk %d of %d with %d bytes does not fit block %d", h.Index, h.Total, len(payload), h.Frame)
	}
	if in.buf != nil {
		copy(in.buf[in.n:], payload)
	}
	in.n += len(payload)
	in.index++
	v.bytes.Add(int64(len(payload)))
	v.srv.bytes.Add(uint64(len(payload)))
	if in.index == in.total {
		if in.n != in.Size {
			return protocolError("block %d ends after %d of %d bytes", h.Frame, in.n, in.Size)
		}
		delete(v.open, in.Block)
		v.last = nil
		v.t.Load().take(v, in)
	}
	return v.limit.wait(v.ctx, len(payload))
}

// written notes what became of a block.
func (v *session) written(in *incoming, what verdict) {
	v.mu.Lock()
	v.inflight -= int64(in.Size)
	switch what {
	case verdictKept:
		v.acked = append(v.acked, in.Block)
		v.settled += int64(in.Size)
	case verdictBad:
		v.asking = append(v.asking, in.Block)
	case verdictLost:
	}
	v.mu.Unlock()
	v.tell()
}

// ask makes the session ask for blocks again.
func (v *session) ask(blocks []uint32) {
	v.mu.Lock()
	v.asking = append(v.asking, blocks...)
	v.mu.Unlock()
	v.tell()
}
