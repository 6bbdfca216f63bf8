package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// rogue is the sending end of a channel whose other end a server handles.
type rogue struct {
	t      testing.TB
	ch     *memchan.Channel
	nonce  string
	result chan error
}

func newRogue(t testing.TB, srv *pipeline.Server) *rogue {
	a, b := memchan.New(nil)
	r := &rogue{t: t, ch: a, result: make(chan error, 1)}
	go func() { r.result <- srv.Handle(context.Background(), b) }()
	var hello struct{ Nonce string }
	if err := json.Unmarshal([]byte(r.await("hello")), &hello); err != nil {
		t.Fatal(err)
	}
	r.nonce = hello.Nonce
	return r
}

// await returns the next message of a type, or of any that ends a session.
func (r *rogue) await(kind string) string {
	r.t.Helper()
	for {
		m, err := r.ch.Receive(context.Background())
		if err != nil {
			return "closed: " + err.Error()
		}
		var head struct{ Type string }
		if err := json.Unmarshal(m.Data, &head); err != nil {
			r.t.Fatalf("%q: %v", m.Data, err)
		}
		if head.Type == kind || head.Type == "error" {
			return string(m.Data)
		}
	}
}

// say sends texts; one that begins with '#' is a chunk: frame, index, total and
// payload length.
func (r *rogue) say(lines ...string) {
	r.t.Helper()
	for _, line := range lines {
		var err error
		if spec, ok := strings.CutPrefix(line, "#"); ok {
			var h chunker.FrameHeader
			var n int
			if _, err := fmt.Sscan(spec, &h.Frame, &h.Index, &h.Total, &n); err != nil {
				r.t.Fatalf("%q: %v", line, err)
			}
			err = r.ch.Send(chunker.AppendFrame(nil, h, make([]byte, n)))
		} else {
			err = r.ch.SendText(line)
		}
		if err != nil && !errors.Is(err, transport.ErrClosed) {
			r.t.Fatalf("%q: %v", line, err)
		}
	}
}

const (
	helloLine = `{"type":"hello","protocol":"ferry/1"}`
	testID    = `"0123456789abcdef0123456789abcdef"`
	zeroHash  = `"0000000000000000000000000000000000000000000000000000000000000000"`
)

// offerLine offers one file of size bytes in blocks of 64 KiB.
func offerLine(size int) string {
	return fmt.Sprintf(`{"type":"offer","id":%s,"size":%d,"block_size":65536,"count":1,"entries":[{"path":"f","size":%d,"mode":420}]}`,
		testID, size, size)
}

func offerEntries(size int64, list ...string) string {
	return fmt.Sprintf(`{"type":"offer","id":%s,"size":%d,"block_size":65536,"count":%d,"entries":[%s]}`,
		testID, size, len(list), strings.Join(list, ","))
}

func blockLine(n int64, size int, hash string) string {
	return fmt.Sprintf(`{"type":"block","block":%d,"size":%d,"hash":%s}`, n, size, hash)
}

// hashOf is the hash of a block of zeros, quoted.
func hashOf(n uint32, size int, only bool) string {
	return `"` + pipeline.BlockHash(n, 64*kib, make([]byte, size), only).String() + `"`
}

// TestHostileSender speaks nonsense to a server and demands the right error at
// both ends, and that a decent sender is served all the same.
func TestHostileSender(t *testing.T) {
	full := 64 * kib
	started := []string{helloLine, offerLine(2*full + 10)}
	stream := []string{helloLine, offerLine(-1)}
	with := func(begin []string, more ...string) []string { return append(append([]string(nil), begin...), more...) }
	repeat := func(n int, lines ...string) (out []string) {
		for range n {
			out = append(out, lines...)
		}
		return out
	}
	tests := []struct {
		name  string
		lines []string
		want  error
		code  string
	}{
		{"chunk first", []string{"#0 0 1 5"}, pipeline.ErrProtocol, "protocol"},
		{"not JSON", []string{"hello"}, pipeline.ErrProtocol, "protocol"},
		{"empty text", []string{""}, pipeline.ErrProtocol, "protocol"},
		{"JSON but no object", []string{`["type","hello"]`}, pipeline.ErrProtocol, "protocol"},
		{"null", []string{`null`}, pipeline.ErrProtocol, "protocol"},
		{"no type", []string{`{"protocol":"ferry/1"}`}, pipeline.ErrProtocol, "protocol"},
		{"type of wrong kind", []string{`{"type":7}`}, pipeline.ErrProtocol, "protocol"},
		{"oversized", []string{`{"type":"hello","x":"` + strings.Repeat("x", 61<<10) + `"}`}, pipeline.ErrProtocol, "protocol"},
		{"deeply nested", []string{`{"type":"hello","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`}, pipeline.ErrProtocol, "protocol"},
		{"other version", []string{`{"type":"hello","protocol":"ferry/9"}`}, pipeline.ErrVersion, "version"},
		{"hello twice", []string{helloLine, helloLine}, pipeline.ErrProtocol, "protocol"},
		{"offer first", []string{offerLine(5)}, pipeline.ErrProtocol, "protocol"},
		{"join first", []string{`{"type":"join","id":` + testID + `,"token":"x"}`}, pipeline.ErrProtocol, "protocol"},
		{"join nothing", []string{helloLine, `{"type":"join","id":` + testID + `,"token":"x"}`}, pipeline.ErrUnknownTransfer, "unknown-transfer"},
		{"join bad id", []string{helloLine, `{"type":"join","id":"../x","token":"x"}`}, pipeline.ErrProtocol, "protocol"},
		{"offer twice", with(started, offerLine(5)), pipeline.ErrProtocol, "protocol"},
		{"join after offer", with(started, `{"type":"join","id":`+testID+`,"token":"x"}`), pipeline.ErrProtocol, "protocol"},
		{"block first", []string{helloLine, blockLine(0, 5, zeroHash)}, pipeline.ErrProtocol, "protocol"},
		{"done first", []string{helloLine, `{"type":"done","size":5,"root":` + zeroHash + `}`}, pipeline.ErrProtocol, "protocol"},
		{"entries first", []string{helloLine, `{"type":"entries","entries":[{"path":"a","size":0}]}`}, pipeline.ErrProtocol, "protocol"},

		{"id in capitals", []string{helloLine, strings.Replace(offerLine(5), "abcdef", "ABCDEF", 1)}, pipeline.ErrProtocol, "protocol"},
		{"id too short", []string{helloLine, strings.Replace(offerLine(5), "abcdef", "", 1)}, pipeline.ErrProtocol, "protocol"},
		{"block size odd", []string{helloLine, strings.Replace(offerLine(5), "65536", "65537", 1)}, pipeline.ErrProtocol, "protocol"},
		{"block size small", []string{helloLine, strings.Replace(offerLine(5), "65536", "1024", 1)}, pipeline.ErrProtocol, "protocol"},
		{"block size huge", []string{helloLine, strings.Replace(offerLine(5), "65536", "1073741824", 1)}, pipeline.ErrProtocol, "protocol"},
		{"size below -1", []string{helloLine, offerEntries(-2, `{"path":"f","size":-2}`)}, pipeline.ErrProtocol, "protocol"},
		{"size over limit", []string{helloLine, offerEntries(1<<41, `{"path":"f","size":2199023255552}`)}, pipeline.ErrLimit, "limit"},
		{"size no number", []string{helloLine, strings.Replace(offerLine(5), `"size":5`, `"size":"5"`, 1)}, pipeline.ErrProtocol, "protocol"},
		{"size overflows", []string{helloLine, offerEntries(10, `{"path":"a","size":9223372036854775807}`, `{"path":"b","size":9223372036854775807}`)}, pipeline.ErrProtocol, "protocol"},
		{"sizes do not add up", []string{helloLine, offerEntries(10, `{"path":"a","size":4}`, `{"path":"b","size":5}`)}, pipeline.ErrProtocol, "protocol"},
		{"two unknown sizes", []string{helloLine, offerEntries(-1, `{"path":"a","size":-1}`, `{"path":"b","size":-1}`)}, pipeline.ErrProtocol, "protocol"},
		{"no entries", []string{helloLine, offerEntries(0)}, pipeline.ErrProtocol, "protocol"},
		{"count over limit", []string{helloLine, strings.Replace(offerLine(5), `"count":1`, `"count":1000000000`, 1)}, pipeline.ErrLimit, "limit"},
		{"more entries than counted", []string{helloLine, strings.Replace(offerEntries(0, `{"path":"a","size":0}`, `{"path":"b","size":0}`), `"count":2`, `"count":1`, 1)}, pipeline.ErrProtocol, "protocol"},
		{"empty batch of entries", []string{helloLine, strings.Replace(offerLine(5), `"count":1`, `"count":2`, 1), `{"type":"entries","entries":[]}`}, pipeline.ErrProtocol, "protocol"},
		{"path climbs", []string{helloLine, offerEntries(0, `{"path":"../a","size":0}`)}, pipeline.ErrName, "name"},
		{"path climbs inside", []string{helloLine, offerEntries(0, `{"path":"a/../../b","size":0}`)}, pipeline.ErrName, "name"},
		{"path absolute", []string{helloLine, offerEntries(0, `{"path":"/etc/passwd","size":0}`)}, pipeline.ErrName, "name"},
		{"path empty", []string{helloLine, offerEntries(0, `{"path":"","size":0}`)}, pipeline.ErrName, "name"},
		{"path dot", []string{helloLine, offerEntries(0, `{"path":".","size":0}`)}, pipeline.ErrName, "name"},
		{"path too long", []string{helloLine, offerEntries(0, `{"path":"`+strings.Repeat("a/", 2500)+`a","size":0}`)}, pipeline.ErrName, "name"},
		{"path twice", []string{helloLine, offerEntries(0, `{"path":"a","size":0}`, `{"path":"a","size":0}`)}, pipeline.ErrName, "name"},
		{"file in file", []string{helloLine, offerEntries(0, `{"path":"a/b/c","size":0}`, `{"path":"a","size":0}`)}, pipeline.ErrName, "name"},
		{"directory with content", []string{helloLine, offerEntries(5, `{"path":"a","size":5,"dir":true}`)}, pipeline.ErrProtocol, "protocol"},

		{"block beyond the end", with(started, blockLine(3, 10, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"block 2^32-1", with(started, blockLine(1<<32-1, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"block 2^32", with(started, blockLine(1<<32, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"block negative", with(started, blockLine(-1, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"block too short", with(started, blockLine(0, 10, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"last block too long", with(started, blockLine(2, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"block empty", with(started, blockLine(0, 0, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"hash too short", with(started, blockLine(0, full, `"00"`)), pipeline.ErrProtocol, "protocol"},
		{"hash no hexadecimal", with(started, blockLine(0, full, `"`+strings.Repeat("zz", 32)+`"`)), pipeline.ErrProtocol, "protocol"},
		{"block announced twice", with(started, blockLine(0, full, zeroHash), blockLine(0, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"chunk not announced", with(started, "#1 0 1 65536"), pipeline.ErrProtocol, "protocol"},
		{"chunk out of order", with(started, blockLine(0, full, zeroHash), "#0 1 2 32768"), pipeline.ErrProtocol, "protocol"},
		{"chunk twice", with(started, blockLine(0, full, zeroHash), "#0 0 2 32768", "#0 0 2 32768"), pipeline.ErrProtocol, "protocol"},
		{"chunk total changes", with(started, blockLine(0, full, zeroHash), "#0 0 2 32768", "#0 1 3 32768"), pipeline.ErrProtocol, "protocol"},
		{"chunk too long", with(started, blockLine(0, full, zeroHash), "#0 0 1 65537"), pipeline.ErrProtocol, "protocol"},
		{"chunks too long", with(started, blockLine(0, full, zeroHash), "#0 0 2 65536", "#0 1 2 1"), pipeline.ErrProtocol, "protocol"},
		{"chunks too short", with(started, blockLine(0, full, zeroHash), "#0 0 1 65535"), pipeline.ErrProtocol, "protocol"},
		{"chunk empty", with(started, blockLine(0, full, zeroHash), "#0 0 1 0"), pipeline.ErrProtocol, "protocol"},
		{"chunk total zero", with(started, blockLine(0, full, zeroHash), "#0 0 0 65536"), pipeline.ErrProtocol, "protocol"},
		{"more hashes than allowed", with(started, `{"type":"hashes","from":0,"hashes":[`+strings.TrimSuffix(strings.Repeat(zeroHash+",", 300), ",")+`]}`), pipeline.ErrProtocol, "protocol"},
		{"hashes beyond the end of numbers", with(started, `{"type":"hashes","from":4294967295,"hashes":[`+zeroHash+`]}`), pipeline.ErrProtocol, "protocol"},
		{"done with other size", with(started, `{"type":"done","size":5,"root":`+zeroHash+`}`), pipeline.ErrProtocol, "protocol"},
		{"done changes", with(started, fmt.Sprintf(`{"type":"done","size":%d,"root":%s}`, 2*full+10, zeroHash),
			fmt.Sprintf(`{"type":"done","size":%d,"root":%s}`, 2*full+10, hashOf(0, 1, true))), pipeline.ErrProtocol, "protocol"},
		{"done negative", with(started, `{"type":"done","size":-1,"root":`+zeroHash+`}`), pipeline.ErrProtocol, "protocol"},
		{"hash always wrong", with(started, repeat(6, blockLine(0, full, zeroHash), "#0 0 1 65536")...), pipeline.ErrCorrupt, "corrupt"},
		{"root wrong", []string{helloLine, offerLine(10), blockLine(0, 10, hashOf(0, 10, true)), "#0 0 1 10",
			`{"type":"done","size":10,"root":` + zeroHash + `}`}, pipeline.ErrCorrupt, "corrupt"},
		{"block at another place", []string{helloLine, offerLine(2 * full), blockLine(0, full, hashOf(0, full, false)), "#0 0 1 65536",
			blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536", blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536",
			blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536", blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536",
			blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536", blockLine(1, full, hashOf(0, full, false)), "#1 0 1 65536",
		}, pipeline.ErrCorrupt, "corrupt"},

		{"stream: block too long", with(stream, blockLine(0, full+1, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"stream: block after the short one", with(stream, blockLine(1, 10, zeroHash), blockLine(2, full, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"stream: two short blocks", with(stream, blockLine(1, 10, zeroHash), blockLine(0, 10, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"stream: short block below others", with(stream, blockLine(1, full, hashOf(1, full, false)), "#1 0 1 65536", "wait", blockLine(0, 10, zeroHash)), pipeline.ErrProtocol, "protocol"},
		{"stream: beyond the size limit", with(stream, blockLine(1<<24, full, zeroHash)), pipeline.ErrLimit, "limit"},
		{"stream: done too small", with(stream, blockLine(1, full, hashOf(1, full, false)), "#1 0 1 65536", "wait", `{"type":"done","size":5,"root":`+zeroHash+`}`), pipeline.ErrProtocol, "protocol"},
		{"stream: done too large", with(stream, blockLine(0, 10, hashOf(0, 10, true)), "#0 0 1 10", "wait", `{"type":"done","size":70000,"root":`+zeroHash+`}`), pipeline.ErrProtocol, "protocol"},
		{"stream: done inside the short block", with(stream, blockLine(0, 10, hashOf(0, 10, true)), "#0 0 1 10", "wait", `{"type":"done","size":11,"root":`+hashOf(0, 10, true)+`}`), pipeline.ErrProtocol, "protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDock(t, nil)
				r := newRogue(t, d.srv)
				for _, line := range tt.lines {
					if line == "wait" {
						synctest.Wait()
						continue
					}
					r.say(line)
				}
				answer := r.await("error")
				var e struct{ Code string }
				if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Code != tt.code {
					t.Errorf("told %s, want code %s", answer, tt.code)
				}
				_ = r.ch.Close()
				if err := <-r.result; !errors.Is(err, tt.want) {
					t.Errorf("Handle returned %v, want %v", err, tt.want)
				}
				if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("decent", noise(1000)), nil); err != nil {
					t.Errorf("a decent sender afterwards: %v", err)
				}
				if names := d.sink.Names(); len(names) != 1 {
					t.Errorf("files %q", names)
				}
			})
		})
	}
}

// TestCredit announces more than was granted.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, &pipeline.ServerOptions{Window: 128 * kib})
		r := newRogue(t, d.srv)
		r.say(helloLine, offerLine(1<<20), blockLine(0, 64*kib, zeroHash), blockLine(1, 64*kib, zeroHash), blockLine(2, 64*kib, zeroHash))
		if got := r.await("error"); !strings.Contains(got, "credit") {
			t.Errorf("told %s", got)
		}
		_ = r.ch.Close()
		if err := <-r.result; !errors.Is(err, pipeline.ErrProtocol) {
			t.Errorf("Handle returned %v", err)
		}
	})
}

// openings is a sink that counts how often it was asked.
type openings struct {
	pipeline.MemorySink
	n int
}

func (o *openings) Open(ctx context.Context, m *pipeline.Manifest, restart bool) (pipeline.Store, error) {
	o.n++
	return o.MemorySink.Open(ctx, m, restart)
}

func TestToken(t *testing.T) {
	for _, tt := range []struct {
		have, say string
		ok        bool
	}{{"secret", "secret", true}, {"secret", "", false}, {"secret", "Secret", false}, {"secret", "secret2", false}, {"", "unneeded", true}} {
		t.Run(tt.have+" "+tt.say, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := &openings{}
				d := newDock(t, nil)
				d.srv = pipeline.NewServer(sink, &pipeline.ServerOptions{Token: tt.have})
				r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", noise(100)), &pipeline.SendOptions{Token: tt.say})
				if tt.ok {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var p *pipeline.PeerError
				if !errors.Is(err, pipeline.ErrUnauthorized) || !errors.As(err, &p) || r != nil {
					t.Errorf("Send returned %v", err)
				}
				if sink.n != 0 {
					t.Error("the sink was asked")
				}
				if c := d.srv.Counters(); c.Unauthorized != 1 || c.Bytes != 0 {
					t.Errorf("counters %+v", c)
				}
			})
		})
	}
}

// TestProofIsBoundToNonce replays the proof of another channel.
func TestProofIsBoundToNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, &pipeline.ServerOptions{Token: "secret"})
		var proof string
		spy := d.tapped("a", func(*memchan.Channel) {})
		inner := spy.Open
		spy.Open = func(ctx context.Context) (transport.Channel, error) {
			ch, err := inner(ctx)
			return &listener{ch, func(text string) {
				if strings.Contains(text, "proof") {
					proof = text
				}
			}}, err
		}
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{spy}, blob("f", noise(100)), &pipeline.SendOptions{Token: "secret"}); err != nil {
			t.Fatal(err)
		}
		if proof == "" || strings.Contains(proof, "secret") {
			t.Fatalf("proof %q", proof)
		}
		r := newRogue(t, d.srv)
		r.say(proof)
		if got := r.await("error"); !strings.Contains(got, "unauthorized") {
			t.Errorf("told %s", got)
		}
		_ = r.ch.Close()
		<-r.result
	})
}

// listener hears the texts that a channel sends.
type listener struct {
	transport.Channel
	hear func(string)
}

func (l *listener) SendText(text string) error {
	l.hear(text)
	return l.Channel.SendText(text)
}

// TestHalfOpen opens a thousand channels that never ask for anything.
func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, &pipeline.ServerOptions{MaxHandshakes: 50})
		for range 1000 {
			d.dial(nil)
		}
		synctest.Wait()
		if c := d.srv.Counters(); c.Handshakes != 50 || c.Refused != 950 {
			t.Errorf("counters %+v", c)
		}
		began := time.Now()
		if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, blob("f", noise(100)), nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("served after %v", took)
		}
		time.Sleep(time.Minute)
		if c := d.srv.Counters(); c.Handshakes != 0 || c.Channels != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

// TestIdle leaves a transfer alone: first its sender is silent, then gone.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		r := newRogue(t, d.srv)
		r.say(helloLine, offerLine(1000))
		began := time.Now()
		if got := r.await("error"); !strings.Contains(got, `"idle"`) {
			t.Errorf("told %s", got)
		}
		if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("after %v", took)
		}
		_ = r.ch.Close()
		if err := <-r.result; !errors.Is(err, pipeline.ErrIdle) {
			t.Errorf("Handle returned %v", err)
		}
		if c := d.srv.Counters(); c.Transfers != 1 {
			t.Errorf("counters %+v", c)
		}
		time.Sleep(32 * time.Second)
		if c := d.srv.Counters(); c.Transfers != 0 || c.Suspended != 1 || c.Buffered != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

// TestStaleOffer handles an older offer after a newer one of the same sender,
// as happens when the channel of the older one is dead but not known to be.
func TestStaleOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		attempt := func(n int) string {
			return strings.Replace(offerLine(10), `"count"`, fmt.Sprintf(`"sender":"s","attempt":%d,"count"`, n), 1)
		}
		newer, older := newRogue(t, d.srv), newRogue(t, d.srv)
		newer.say(helloLine, attempt(2))
		if got := newer.await("accept"); !strings.Contains(got, "token") {
			t.Fatalf("told %s", got)
		}
		older.say(helloLine, attempt(1))
		if got := older.await("accept"); !strings.Contains(got, `"superseded"`) {
			t.Errorf("the older offer was told %s", got)
		}
		newer.say(blockLine(0, 10, hashOf(0, 10, true)), "#0 0 1 10", `{"type":"done","size":10,"root":`+hashOf(0, 10, true)+`}`)
		if got := newer.await("complete"); !strings.Contains(got, `"files":1`) {
			t.Errorf("the newer offer was told %s", got)
		}
		for _, r := range []*rogue{newer, older} {
			_ = r.ch.Close()
			<-r.result
		}
	})
}
