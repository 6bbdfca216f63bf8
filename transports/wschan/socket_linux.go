package wschan

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of a silent peer. Its kernel is asked for a sign of life at least
// every probeEvery: by keep-alive probes when idle, by retransmissions when
// data is under way, by window probes when its reader does not read. A peer
// that was silent for deadAfter and left several of them unanswered is dead.
// TCP_USER_TIMEOUT is not used because it kills a peer that answers and does
// not read (since Linux 5.11, commit 9d9b1ee0b2d1).
const (
	deadAfter  = 9 * time.Second
	deadPeer   = 10 * time.Second // declared: deadAfter and some air
	probeEvery = 3 * time.Second
	unanswered = 2               // probes; kernels before 6.15 may be slow to send that many
	lookAgain  = time.Second / 4 // while they do
)

// unsentLimit is how much the kernel takes of us that it does not send yet, in
// bytes.
const unsentLimit = 128 << 10

// tune sets what a kernel allows and ignores what it does not know.
func tune(tcp *net.TCPConn) {
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeEvery, Interval: probeEvery / 2, Count: 6})
	_ = control(tcp, func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLimit)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, int(probeEvery.Milliseconds()))
	})
}

func control(tcp *net.TCPConn, f func(fd int)) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// watch calls gone once the peer's kernel is dead. It returns how to stop that, and the time promised.
func watch(tcp *net.TCPConn, gone func()) (unwatch func(), promise time.Duration) {
	if _, err := tcpInfo(tcp); err != nil {
		return nil, 0
	}
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	look := func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		info, err := tcpInfo(tcp)
		if err != nil {
			return // closed
		}
		silence := time.Duration(min(info.Last_ack_recv, info.Last_data_recv)) * time.Millisecond
		if silence >= deadAfter && max(info.Probes, info.Retransmits) >= unanswered {
			gone()
			return
		}
		timer.Reset(max(deadAfter-silence, lookAgain))
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(deadAfter, look)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}, deadPeer
}

// taken rises as the peer's kernel takes bytes of us and as the peer's reader
// takes them from there, which moves the right edge of the window. While
// nothing is sent the answers to the keep-alive probes bring the news.
func taken(tcp *net.TCPConn) int {
	info, err := tcpInfo(tcp)
	if err != nil {
		return 0
	}
	return int(2*info.Bytes_acked) + int(info.Snd_wnd)
}

func tcpInfo(tcp *net.TCPConn) (info *unix.TCPInfo, err error) {
	var infoErr error
	err = control(tcp, func(fd int) {
		info, infoErr = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err == nil {
		err = infoErr
	}
	return info, err
}

// kernelReceiveBuffer is the most that the kernel's buffer grows to, in bytes:
// the third number of net.ipv4.tcp_rmem.
var kernelReceiveBuffer = sync.OnceValue(func() int {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_rmem")
	if fields := strings.Fields(string(text)); len(fields) == 3 {
		if n, err := strconv.Atoi(fields[2]); err == nil {
			return n
		}
	}
	return 6 << 20 // the kernel's own default
})
