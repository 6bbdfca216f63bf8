package quicchan_test

import (
	"testing"

	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, quicchan.Pair, &transporttest.Options{
		Cut:  quicchan.CutPair,
		Many: quicchan.ManyPair,
	})
}
