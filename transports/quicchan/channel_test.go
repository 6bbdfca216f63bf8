package quicchan_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// New on both ends of a stream that the applications have.
func TestNew(t *testing.T) {
	client, server := newConns(t, nil)
	ctx := testContext(t)
	stream, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	a, err := quicchan.New(stream, &quicchan.Options{Label: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := server.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := quicchan.New(accepted, nil)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, a, b)
	if label := b.Properties().Label; label != "ours" {
		t.Errorf("label %q", label)
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	if err := errors.Join(b.Close(), <-closed); err != nil {
		t.Error(err)
	}
}

func TestNewOnStreamThatEnded(t *testing.T) {
	client, _ := newConns(t, nil)
	stream, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	client.CloseWithError(0, "")
	if _, err := quicchan.New(stream, nil); err == nil {
		t.Error("no error")
	}
}

// A channel that nobody reads, however much it has grown its window before,
// leaves the others of its connection alone.
func TestStalledChannelLeavesOthersAlone(t *testing.T) {
	for _, before := range []int{0, 32 << 20} {
		as, bs, err := quicchan.ManyPair(testContext(t), 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range as {
			t.Cleanup(func() { transport.Abort(as[i]); transport.Abort(bs[i]) })
		}
		transfer(t, as[0], bs[0], before)
		for as[0].Send(make([]byte, 48<<10)) == nil { // until full
		}
		transfer(t, as[1], bs[1], 16<<20)
	}
}

// transfer moves size bytes from a to b.
func transfer(t *testing.T, a, b transport.Channel, size int) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	msg := make([]byte, 48<<10)
	wg.Go(func() {
		for sent := 0; sent < size; sent += len(msg) {
			send(t, a, msg)
		}
	})
	for got := 0; got < size; got += len(msg) {
		if _, err := b.Receive(testContext(t)); err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
	}
}

// The options are the caller's.
func TestOptionsAreNotChanged(t *testing.T) {
	l := listen(t, nil)
	opts := quicchan.Options{Pin: l.Pin()}
	before := opts
	ch, err := quicchan.Dial(testContext(t), l.URL(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Abort()
	if opts != before {
		t.Errorf("became %+v", opts)
	}
}
