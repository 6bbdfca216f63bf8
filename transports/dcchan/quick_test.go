package dcchan_test

import (
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transports/dcchan"
)

func TestQuick(t *testing.T) {
	t0 := time.Now()
	a, b, err := dcchan.Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("open", time.Since(t0))
	if err := a.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	m, err := b.Receive(t.Context())
	t.Log(string(m.Data), err, time.Since(t0))
	t.Log(a.Close(), time.Since(t0))
	m, err = b.Receive(t.Context())
	t.Log(m, err)
	t.Log(b.Close(), time.Since(t0))
}
