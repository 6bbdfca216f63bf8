package nhooyr

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { transporttest.Run(t, Pair, nil) }
