package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiveBursts asks the kernel for many packets as one. An older kernel
// refuses, and gives them one by one.
func receiveBursts(socket *net.UDPConn) {
	control(socket, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) })
}

// canSendBursts says whether the kernel knows UDP_SEGMENT.
func canSendBursts(socket *net.UDPConn) bool {
	return control(socket, func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		return err
	})
}

func control(socket *net.UDPConn, f func(fd int) error) bool {
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	outer := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	return outer == nil && err == nil
}

// segmentSize returns the size of the packets that a read consists of, or 0 if
// it is one.
func segmentSize(oob []byte) int {
	for len(oob) >= unix.CmsgLen(0) {
		header, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return 0
		}
		if header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO && len(body) >= 4 {
			return int(int32(binary.NativeEndian.Uint32(body)))
		}
		oob = rest
	}
	return 0
}

// appendSegmentSize appends the control message that has the kernel cut a
// write into packets.
func appendSegmentSize(oob []byte, size int) []byte {
	const length = 2
	start := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(length))...)
	header := (*unix.Cmsghdr)(unsafe.Pointer(&oob[start]))
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(length))
	binary.NativeEndian.PutUint16(oob[start+unix.CmsgLen(0):], uint16(size))
	return oob
}

// refused says whether a burst failed for being one: EIO comes from devices
// without checksum offload, EINVAL and EMSGSIZE for packets beyond the MTU.
func refused(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EOPNOTSUPP)
}
