package quicchan_test

import (
	"errors"
	"testing"

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
