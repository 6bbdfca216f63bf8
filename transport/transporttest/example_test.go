package transporttest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// The conformance test of an adapter is one line.
func ExampleRun() {
	test := func(t *testing.T) {
		transporttest.Run(t, memchan.Pair, nil)
	}
	_ = test // go test calls it
}

// Check runs without package testing, for a command.
func ExampleCheck() {
	pair := func(context.Context) (a, b transport.Channel, err error) {
		a, b = memchan.New(&memchan.Options{CloseTimeout: time.Second})
		return a, b, nil
	}
	failed := 0
	err := transporttest.Check(context.Background(), pair, &transporttest.Options{Quick: true}, func(r transporttest.Result) {
		if r.Err != nil {
			failed++
			fmt.Println(r.Name, r.Err)
		}
	})
	fmt.Println(failed, err)
	// Output: 0 <nil>
}
