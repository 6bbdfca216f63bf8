package quicchan_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// newTransport is a quic.Transport on loopback as an application would have it.
func newTransport(tb testing.TB) *quic.Transport {
	tb.Helper()
	tr := &quic.Transport{Conn: newSocket(tb)}
	tb.Cleanup(func() { tr.Close() })
	return tr
}

func newSocket(tb testing.TB) *net.UDPConn {
	tb.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { socket.Close() })
	return socket
}

// newConns is a QUIC connection as two applications would have it. config may
// be nil.
func newConns(tb testing.TB, config *quic.Config) (client, server *quic.Conn) {
	tb.Helper()
	cert, err := pinned.New()
	if err != nil {
		tb.Fatal(err)
	}
	l, err := newTransport(tb).Listen(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{quicchan.ALPN}}, config)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	client = newRawClient(tb, l.Addr(), pinned.Pin(cert), config)
	if server, err = l.Accept(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { server.CloseWithError(0, "") })
	return client, server
}

// newRawClient is a peer that is not ours.
func newRawClient(tb testing.TB, addr net.Addr, pin string, config *quic.Config) *quic.Conn {
	tb.Helper()
	return dialRaw(tb, newTransport(tb), addr, pin, config)
}

func dialRaw(tb testing.TB, tr *quic.Transport, addr net.Addr, pin string, config *quic.Config) *quic.Conn {
	tb.Helper()
	conf, err := pinned.Client(pin)
	if err != nil {
		tb.Fatal(err)
	}
	conf.NextProtos = []string{quicchan.ALPN}
	conn, err := tr.Dial(tb.Context(), addr, conf, config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.CloseWithError(0, "") })
	return conn
}
