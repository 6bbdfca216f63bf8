package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

const (
	greeting   = `{"type":"hello","protocols":["ferry/1"],"nonce":"n"}`
	acceptLine = `{"type":"accept","token":"t","credit":1048576,"have":[],"check":[]}`
)

// TestHostileReceiver answers a sender with nonsense. lines that begin with
// '?' wait for a message of the sender that contains the rest.
func TestHostileReceiver(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  error
	}{
		{"chunk first", []string{"#"}, pipeline.ErrProtocol},
		{"not JSON", []string{"hello"}, pipeline.ErrProtocol},
		{"ack first", []string{`{"type":"ack"}`}, pipeline.ErrProtocol},
		{"other version", []string{`{"type":"hello","protocols":["ferry/2"],"nonce":"n"}`}, pipeline.ErrVersion},
		{"no version", []string{`{"type":"hello"}`}, pipeline.ErrVersion},
		{"oversized", []string{`{"type":"hello","x":"` + strings.Repeat("x", 61<<10) + `"}`}, pipeline.ErrProtocol},
		{"hello twice", []string{greeting, greeting}, pipeline.ErrProtocol},
		{"chunk", []string{greeting, "#"}, pipeline.ErrProtocol},
		{"ack before accept", []string{greeting, "?offer", `{"type":"ack"}`}, pipeline.ErrProtocol},
		{"accept without token", []string{greeting, "?offer", `{"type":"accept","credit":5}`}, pipeline.ErrProtocol},
		{"accept with negative credit", []string{greeting, "?offer", `{"type":"accept","token":"t","credit":-5}`}, pipeline.ErrProtocol},
		{"accept twice", []string{greeting, "?offer", acceptLine, acceptLine}, pipeline.ErrProtocol},
		{"held without accept", []string{greeting, "?offer", `{"type":"held","have":[]}`}, pipeline.ErrProtocol},
		{"held after accept", []string{greeting, "?offer", acceptLine, `{"type":"held","have":[]}`}, pipeline.ErrProtocol},
		{"holds what does not exist", []string{greeting, "?offer", `{"type":"accept","token":"t","credit":5,"have":[[0,4294967295]]}`}, pipeline.ErrProtocol},
		{"holds an empty range", []string{greeting, "?offer", `{"type":"accept","token":"t","credit":5,"have":[[5,5]]}`}, pipeline.ErrProtocol},
		{"holds overlapping ranges", []string{greeting, "?offer", `{"type":"accept","token":"t","credit":5,"have":[[0,3],[2,5]]}`}, pipeline.ErrProtocol},
		{"holds a negative block", []string{greeting, "?offer", `{"type":"accept","token":"t","credit":5,"have":[[-1,3]]}`}, pipeline.ErrProtocol},
		{"asks again for what was not sent", []string{greeting, "?offer", acceptLine, `{"type":"resend","blocks":[[1000,1001]]}`}, pipeline.ErrProtocol},
		{"asks again without end", []string{greeting, "?offer", acceptLine, "?block", "again", "again", "again", "again", "again", "again"}, pipeline.ErrCorrupt},
		{"complete with other root", []string{greeting, "?offer", acceptLine, "?done",
			`{"type":"complete","size":262144,"root":` + zeroHash + `,"files":1}`}, pipeline.ErrCorrupt},
		{"more names than files", []string{greeting, "?offer", acceptLine, `{"type":"renamed","names":[["a","b"],["c","d"]]}`}, pipeline.ErrProtocol},
		{"refused", []string{greeting, "?offer", `{"type":"error","code":"no-space","message":"disk\u001b[2Jfull","path":"f"}`}, pipeline.ErrNoSpace},
		{"canceled", []string{greeting, "?offer", acceptLine, "?block", `{"type":"cancel","reason":"lunch"}`}, pipeline.ErrCanceled},
		{"silent after hello", []string{greeting}, pipeline.ErrIdle},
		{"silent after accept", []string{greeting, "?offer", acceptLine}, pipeline.ErrIdle},
		{"silent from the beginning", nil, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := pipeline.Route{Name: "a", Open: func(context.Context) (transport.Channel, error) {
					a, b := memchan.New(nil)
					go playReceiver(t, b, tt.lines)
					return a, nil
				}}
				began := time.Now()
				r, err := pipeline.Send(t.Context(), []pipeline.Route{route}, blob("f", noise(256*kib)),
					&pipeline.SendOptions{BlockSize: 64 * kib, RetryFor: -1})
				if !errors.Is(err, tt.want) || r != nil {
					t.Errorf("Send returned %v, %v, want %v", r, err, tt.want)
				}
				if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
					t.Errorf("error with an escape: %q", err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// playReceiver says lines and then waits for the sender to leave.
func playReceiver(t *testing.T, ch *memchan.Channel, lines []string) {
	defer ch.Close()
	expect := func(what string) {
		for {
			m, err := ch.Receive(context.Background())
			if err != nil || m.Text && strings.Contains(string(m.Data), what) {
				return
			}
		}
	}
	for _, line := range lines {
		var err error
		if what, ok := strings.CutPrefix(line, "?"); ok {
			expect(`"type":"` + what)
			continue
		}
		switch line {
		case "#":
			err = ch.Send(make([]byte, 100))
		case "again":
			time.Sleep(10 * time.Millisecond)
			err = ch.SendText(`{"type":"resend","blocks":[[0,1]]}`)
		default:
			err = ch.SendText(line)
		}
		if err != nil && !errors.Is(err, transport.ErrClosed) {
			t.Error(err)
		}
	}
	expect("nothing that anybody says")
}
