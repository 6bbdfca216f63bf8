package pump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// TestInboxMixesTinyAndLarge puts messages of all sizes around the border and
// receives them as they were, in order, while more are put.
func TestInboxMixesTinyAndLarge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	in := NewInbox()
	var want []transport.Message
	check := func() {
		t.Helper()
		got, err := in.Receive(t.Context())
		if err != nil || !bytes.Equal(got.Data, want[0].Data) || got.Text != want[0].Text {
			t.Fatalf("received %q %v, %v; want %q %v", got.Data, got.Text, err, want[0].Data, want[0].Text)
		}
		want = want[1:]
	}
	for n := range 20_000 {
		msg := bytes.Repeat([]byte{byte(n)}, random.IntN(tinyMessage+3))
		text := random.IntN(2) == 0
		want = append(want, transport.Message{Data: bytes.Clone(msg), Text: text})
		if !in.Put(msg, text) {
			t.Fatal("refused")
		}
		for len(want) > 0 && (random.IntN(3) > 0 || len(want) > 5000) {
			check()
		}
	}
	for len(want) > 0 {
		check()
	}
	if in.packed != 0 || in.held != 0 {
		t.Errorf("%d and %d bytes are left of nothing", in.packed, in.held)
	}
}

// TestInboxTinyMessagesAreBounded: they are taken while the inbox is full of
// others, to a limit.
func TestInboxTinyMessagesAreBounded(t *testing.T) {
	in := NewInbox()
	in.Put(make([]byte, InboxSize), false)
	n := 0
	for in.Put(nil, false) {
		n++
	}
	if n != maxPacked {
		t.Errorf("%d empty messages taken, want %d", n, maxPacked)
	}
	if m, err := in.Receive(t.Context()); err != nil || len(m.Data) != InboxSize {
		t.Errorf("%d bytes, %v", len(m.Data), err)
	}
	for range n {
		if m, err := in.Receive(t.Context()); err != nil || len(m.Data) != 0 {
			t.Fatalf("%d bytes, %v", len(m.Data), err)
		}
	}
	if !in.Put([]byte("x"), true) {
		t.Error("refused when there was room again")
	}
	in.Abandon(transport.ErrClosed)
	if !in.Put(nil, false) || in.packed != 0 {
		t.Error("an abandoned inbox refuses or keeps")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if m, err := in.Receive(ctx); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("%s, %v", fmt.Sprint(m), err)
	}
}
