package wschan

import (
	"testing"

	"github.com/chunkferry/chunkferry/transport/transporttest"
)

func TestConformance(t *testing.T) {
	for name, pair := range map[string]transporttest.Pair{"ws": Pair, "wss": SecurePair} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, pair, &transporttest.Options{Cut: CutPair, Many: ManyPair})
		})
	}
}
