//go:build !linux

package wschan

import (
	"net"
	"time"
)

// tune has the kernel notice a dead peer when idle.
func tune(tcp *net.TCPConn) {
	tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: 2 * time.Second, Count: 3})
}

// watch promises nothing: while data is under way keep-alive does not run.
func watch(*net.TCPConn, func()) (unwatch func(), promise time.Duration) { return nil, 0 }

// taken is not known.
func taken(*net.TCPConn) int { return 0 }

// kernelReceiveBuffer is the most that the kernel's buffer grows to, in bytes:
// more than the systems we know.
func kernelReceiveBuffer() int { return 16 << 20 }
