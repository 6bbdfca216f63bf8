//go:build !linux

package wschan

import (
	"context"
	"errors"

	"github.com/chunkferry/chunkferry/transport"
)

// CutPair returns errors.ErrUnsupported: it needs Linux.
func CutPair(context.Context) (a, b transport.Channel, cut func(), err error) {
	return nil, nil, nil, errors.ErrUnsupported
}
