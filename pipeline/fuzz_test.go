package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// tape reads a fuzzer's bytes as small numbers; past its end it reads 0.
type tape []byte

func (t *tape) next(n int) int {
	if len(*t) == 0 {
		return 0
	}
	v := int((*t)[0]) % n
	*t = (*t)[1:]
	return v
}

// FuzzSession runs programs of messages against a server, on two channels. No
// program may make it panic, hang, or keep memory; and whatever it commits is
// what the receipt says.
func FuzzSession(f *testing.F) {
	f.Add([]byte{})
	whole := []byte{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0} // hello, offer, block, chunk, done
	f.Add(whole)
	f.Add(append(append([]byte{}, whole[:15]...), append(whole[:15:15], whole[15:]...)...))
	f.Add([]byte{0, 0, 0, 1, 0, 3, 0, 4, 0, 0, 1, 0, 1, 1, 0, 5, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 1, 0, 1, 0, 5, 0, 1, 0, 0, 0, 0, 6, 0, 2, 0}) // a stream of two blocks
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runProgram(t, program) })
	})
}

func runProgram(t *testing.T, program []byte) {
	sink := &pipeline.MemorySink{}
	var notices notebook
	srv := pipeline.NewServer(sink, &pipeline.ServerOptions{
		MaxSize: 1 << 20, MaxFiles: 3, MaxTransfers: 2, Window: 256 * kib, MaxBuffered: 1 << 20,
		Notify: notices.add,
	})
	var ends [2]*memchan.Channel
	results := make(chan error, len(ends))
	for i := range ends {
		a, b := memchan.New(nil)
		ends[i] = a
		go func() { results <- srv.Handle(context.Background(), b) }()
	}
	p := tape(program)
	for len(p) > 0 {
		op := p.next(13)
		ch := ends[p.next(2)]
		var err error
		if op == 5 {
			n, size := p.next(4), fuzzSizes[p.next(len(fuzzSizes))]
			h := chunker.FrameHeader{Frame: uint32(n), Index: uint32(p.next(2)), Total: 1 + uint32(p.next(2))}
			err = ch.Send(chunker.AppendFrame(nil, h, make([]byte, size)))
		} else {
			err = ch.SendText(fuzzLine(op, &p))
		}
		if err == transport.ErrBufferFull {
			synctest.Wait()
		}
		if p.next(4) == 0 {
			synctest.Wait()
		}
	}
	for _, ch := range ends {
		_ = ch.Close()
	}
	for range ends {
		<-results
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = srv.Shutdown(ctx) // what is suspended is suspended
	if c := srv.Counters(); c.Buffered != 0 || c.Channels != 0 || c.Handshakes != 0 || c.Transfers != 0 {
		t.Errorf("left behind: %+v", c)
	}
	for _, n := range notices.list {
		if n.Receipt == nil {
			continue
		}
		var whole []byte
		for _, f := range n.Receipt.Files {
			b, ok := sink.File(f.Name)
			if !ok {
				t.Errorf("%s is not there", f.Name)
			}
			whole = append(whole, b...)
		}
		if int64(len(whole)) != n.Receipt.Size || blake3.Sum256(whole) != n.Receipt.Root {
			t.Errorf("committed %d bytes that are not those of the receipt, %+v", len(whole), n.Receipt)
		}
	}
}

var fuzzSizes = []int{10, 64 * kib, 64*kib - 10, 0, 1}

// fuzzLine makes a control message.
func fuzzLine(op int, p *tape) string {
	hash := func() string {
		n, size := p.next(3), fuzzSizes[p.next(3)]
		return hashOf(uint32(n), size, p.next(2) == 0)
	}
	switch op {
	case 0:
		return helloLine
	case 1:
		size := []int{10, 64 * kib, 64*kib + 10, -1, 0, 128 * kib}[p.next(6)]
		return offerLine(size)
	case 2:
		return offerEntries(20, `{"path":"a","size":10}`, `{"path":"b/c","size":10}`)
	case 3:
		return fmt.Sprintf(`{"type":"join","id":%s,"token":"%d"}`, testID, p.next(3))
	case 4:
		return blockLine(int64(p.next(3)), fuzzSizes[p.next(len(fuzzSizes))], hash())
	case 6:
		size := []int{10, 64 * kib, 64*kib + 10, 0}[p.next(4)]
		return fmt.Sprintf(`{"type":"done","size":%d,"root":%s}`, size, fuzzRoot(size))
	case 7:
		return fmt.Sprintf(`{"type":"hashes","from":%d,"hashes":[%s,%s]}`, p.next(3), hash(), hash())
	case 8:
		return fmt.Sprintf(`{"type":"cancel","reason":"r","discard":%t}`, p.next(2) == 0)
	case 9:
		return `{"type":"error","code":"source-changed","message":"m"}`
	case 10:
		return fmt.Sprintf(`{"type":"ping","id":%d}`, p.next(3))
	case 11:
		return `{"type":"entries","entries":[{"path":"z","size":0}]}`
	}
	return strings.Repeat(string(rune(p.next(128))), p.next(4))
}

// fuzzRoot is the root of so many zeros.
func fuzzRoot(size int) string {
	return `"` + pipeline.Hash(blake3.Sum256(make([]byte, size))).String() + `"`
}

// FuzzReceiver answers a sender with programs of messages. None may make it
// panic or hang, and it believes nothing but a receipt for what it sent.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 1, 1, 2, 1, 3, 1, 4, 1})
	f.Add([]byte{0, 1, 1, 0, 2, 1, 5, 1, 2, 6, 1, 7, 1, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 100 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			data := noise(200 * kib)
			p := tape(program)
			dials := 0
			var answers sync.WaitGroup
			defer answers.Wait()
			route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) {
				if dials++; dials > 3 {
					return nil, pipeline.ErrSpent
				}
				a, b := memchan.New(nil)
				answers.Wait() // one at a time reads the program
				answers.Go(func() { answer(b, &p) })
				return a, nil
			}}
			r, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", data), &pipeline.SendOptions{BlockSize: 64 * kib})
			if err == nil && (r.Size != int64(len(data)) || r.Root != blake3.Sum256(data)) {
				t.Errorf("believed %+v", r)
			}
		})
	})
}

// answer plays a receiver's program and leaves.
func answer(ch *memchan.Channel, p *tape) {
	defer ch.Close()
	_ = ch.SendText(greeting)
	for len(*p) > 0 {
		op := p.next(10)
		set := func() string {
			a := p.next(5)
			return fmt.Sprintf("[[%d,%d]]", a, a+p.next(3))
		}
		var text string
		switch op {
		case 0:
			text = acceptLine
		case 1:
			text = fmt.Sprintf(`{"type":"accept","token":"%d","credit":%d,"have":%s,"check":%s}`, p.next(2), 65536*p.next(5), set(), set())
		case 2:
			text = fmt.Sprintf(`{"type":"ack","blocks":%s,"received":%d,"durable":%d}`, set(), p.next(256), p.next(256)<<12)
		case 3:
			text = fmt.Sprintf(`{"type":"resend","blocks":%s}`, set())
		case 4:
			size := 200 * kib
			text = fmt.Sprintf(`{"type":"complete","size":%d,"root":%s,"files":1}`, size, fuzzRoot(size*p.next(2)))
		case 5:
			text = `{"type":"complete","size":204800,"root":"` + pipeline.Hash(blake3.Sum256(noise(200*kib))).String() + `","files":1}`
		case 6:
			text = `{"type":"renamed","names":[["f","g"]]}`
		case 7:
			text = fmt.Sprintf(`{"type":"error","code":"%s","message":"m"}`, []string{"busy", "unknown-transfer", "exists", "x"}[p.next(4)])
		case 8:
			text = fmt.Sprintf(`{"type":"pong","id":%d}`, p.next(5))
		case 9:
			text = `{"type":"cancel","reason":"r"}`
		}
		if ch.SendText(text) != nil {
			return
		}
		if p.next(2) == 1 {
			time.Sleep(time.Duration(p.next(200)) * 10 * time.Millisecond)
		}
	}
}
