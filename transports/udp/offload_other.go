//go:build !linux

package udp

import "net"

func receiveBursts(*net.UDPConn) {}

func canSendBursts(*net.UDPConn) bool { return false }

func segmentSize([]byte) int { return 0 }

func appendSegmentSize(oob []byte, _ int) []byte { return oob }

func refused(error) bool { return false }
