package wschan

import (
	"context"
	"net"

	"golang.org/x/sys/unix"

	"github.com/chunkferry/chunkferry/transport"
)

// CutPair is Pair with a function that black-holes the connection: from then
// on both kernels drop what arrives, and neither end is told. Linux only;
// elsewhere it returns errors.ErrUnsupported.
func CutPair(ctx context.Context) (a, b transport.Channel, cut func(), err error) {
	dialled, accepted, err := connect(ctx, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	return dialled, accepted, func() {
		dropAll(dialled.tcp)
		dropAll(accepted.tcp)
	}, nil
}

// dropAll attaches a packet filter that keeps nothing (socket(7),
// SO_ATTACH_FILTER), which needs no privilege.
func dropAll(tcp *net.TCPConn) {
	_ = control(tcp, func(fd int) {
		filter := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &filter})
	})
}
