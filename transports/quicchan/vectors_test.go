package quicchan_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// vector is what one end writes to its direction of a stream, and what the
// other makes of it.
type vector struct {
	Name     string
	Stream   string // hexadecimal
	Fin      bool   // the stream's end follows
	Label    string
	Messages []string // "binary HEX" or "text HEX"
	End      string   // how receiving ends; "refused" if there is no channel
	Code     int      // of the reset that answers, if any
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	client, server := newConns(t, nil)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) { v.check(t, client, server) })
	}
	if err := context.Cause(server.Context()); err != nil {
		t.Errorf("the connection did not survive its bad streams: %v", err)
	}
}

func (v vector) check(t *testing.T, client, server *quic.Conn) {
	t.Helper()
	ctx := testContext(t)
	stream, err := client.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write(unhex(t, v.Stream)); err != nil {
		t.Fatal(err)
	}
	if v.Fin {
		stream.Close()
	}
	ch, err := quicchan.Accept(ctx, server, nil)
	if v.End == "refused" {
		if !errors.Is(err, quicchan.ErrProtocol) {
			t.Errorf("Accept: %v, want ErrProtocol", err)
		}
	} else if err != nil {
		t.Fatal(err)
	} else {
		v.checkChannel(ctx, t, ch)
	}
	if v.Code != 0 {
		_, err := io.Copy(io.Discard, stream)
		reset, ok := errors.AsType[*quic.StreamError](err)
		if !ok || int(reset.ErrorCode) != v.Code {
			t.Errorf("the other end reads %v, want a reset with code %d", err, v.Code)
		}
	}
	stream.Close()
	if ch != nil {
		transport.Abort(ch)
	}
}

func (v vector) checkChannel(ctx context.Context, t *testing.T, ch *quicchan.Channel) {
	t.Helper()
	if p := ch.Properties(); p.Label != v.Label {
		t.Errorf("label %q, want %q", p.Label, v.Label)
	}
	for i, want := range v.Messages {
		got, err := ch.Receive(ctx)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		kind := "binary "
		if got.Text {
			kind = "text "
		}
		if s := kind + hex.EncodeToString(got.Data); s != want {
			t.Errorf("message %d is %q, want %q", i, s, want)
		}
	}
	want := map[string]error{"EOF": io.EOF, "protocol": quicchan.ErrProtocol, "oversize": quicchan.ErrOversize}[v.End]
	_, err := ch.Receive(ctx)
	if want == nil || !errors.Is(err, want) {
		t.Errorf("after the messages: %v, want %s", err, v.End)
	}
	if aborted := errors.Is(err, transport.ErrAborted); aborted != (v.End != "EOF") {
		t.Errorf("%v: is ErrAborted %v", err, aborted)
	}
}

// The other direction: what a peer that is not ours reads.
func TestWritesTheVector(t *testing.T) {
	client, server := newConns(t, nil)
	ctx := testContext(t)
	ch, err := quicchan.Open(ctx, client, &quicchan.Options{Label: "video"})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := server.AcceptStream(ctx) // visible before its first message
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{ch.Send([]byte{1, 2, 3}), ch.SendText(""), ch.Send(nil), ch.SendText("é"), ch.CloseWrite()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Our answer: a preamble without a label, and an end.
	if _, err := stream.Write(unhex(t, "434b4659 01 00  04 00000000")); err != nil {
		t.Fatal(err)
	}
	stream.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(stream) // the channel sends FIN by itself
	if err != nil {
		t.Errorf("read to the end: %v", err)
	}
	want := unhex(t, "434b4659 01 05 766964656f  01 03000000 010203  02 00000000  01 00000000  02 02000000 c3a9  03 00000000  04 00000000")
	if !bytes.Equal(got, want) {
		t.Errorf("wrote %x\nwant  %x", got, want)
	}
	stream.Close()
	if err := ch.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
