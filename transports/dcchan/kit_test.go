package dcchan_test

import (
	"testing"

	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/dcchan"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, dcchan.Pair, &transporttest.Options{Cut: dcchan.CutPair, Many: dcchan.ManyPair, Parallel: true})
}
