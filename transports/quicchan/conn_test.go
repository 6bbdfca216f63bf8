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
func newTransport(t testing.TB) *quic.Transport {
	t.Helper()
	tr := &quic.Transport{Conn: newSocket(t)}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func newSocket(t testing.TB) *net.UDPConn {
	t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket
}

// newConns is a QUIC connection as two applications would have it. config may
// be nil.
func newConns(t testing.TB, config *quic.Config) (client, server *quic.Conn) {
	t.Helper()
	cert, err := pinned.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newTransport(t).Listen(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{quicchan.ALPN}}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client = newRawClient(t, l.Addr(), pinned.Pin(cert), config)
	if server, err = l.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.CloseWithError(0, "") })
	return client, server
}

// newRawClient is a peer that is not ours.
func newRawClient(t testing.TB, addr net.Addr, pin string, config *quic.Config) *quic.Conn {
	t.Helper()
	return dialRaw(t, newTransport(t), addr, pin, config)
}

func dialRaw(t testing.TB, tr *quic.Transport, addr net.Addr, pin string, config *quic.Config) *quic.Conn {
	t.Helper()
	conf, err := pinned.Client(pin)
	if err != nil {
		t.Fatal(err)
	}
	conf.NextProtos = []string{quicchan.ALPN}
	conn, err := tr.Dial(t.Context(), addr, conf, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseWithError(0, "") })
	return conn
}
