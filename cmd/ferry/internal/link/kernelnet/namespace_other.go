//go:build !linux

package kernelnet

import (
	"io"
	"net/netip"
	"syscall"
)

func available() error {
	return &UnavailableError{Missing: "they are Linux's: use the link in user space"}
}

type namespace struct{}

func newNamespace(netip.Addr, int, Options) (namespace, io.ReadWriteCloser, error) {
	return namespace{}, nil, available()
}

func (namespace) run(func() error) error { return available() }

func (namespace) close() error { return nil }

func growUDP(string, string, syscall.RawConn) error { return nil }

func pinTCP(string) func(string, string, syscall.RawConn) error { return nil }
