package transporttest_test

import (
	"context"
	"fmt"
	"testing"

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
	failed := 0
	err := transporttest.Check(context.Background(), memchan.Pair, &transporttest.Options{Quick: true}, func(r transporttest.Result) {
		if r.Err != nil {
			failed++
			fmt.Println(r.Name, r.Err)
		}
	})
	fmt.Println(failed, err)
	// Output: 0 <nil>
}
