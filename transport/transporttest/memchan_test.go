package transporttest_test

import (
	"testing"

	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func TestMemchan(t *testing.T) {
	transporttest.Run(t, memchan.Pair, nil)
}
