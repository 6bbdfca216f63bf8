package wschan

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw is a WebSocket client written for these tests: it does what no library
// lets a client do.
type raw struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader

	failed error // the first error of a write; a server may well hang up
}

// dialRaw shakes hands with a server at a ws URL.
func dialRaw(t *testing.T, url string) *raw {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, host)
	r := &raw{t: t, conn: conn, br: bufio.NewReader(conn)}
	resp, err := http.ReadResponse(r.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade answered with %s", resp.Status)
	}
	return r
}

// acceptRaw returns a raw client and the channel at its server.
func acceptRaw(t *testing.T, o *Options) (*raw, *Channel) {
	t.Helper()
	l, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := dialRaw(t, l.URL())
	ch, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ch.Abort() })
	return r, ch
}

const fin = 0x80

// writeHeader sends a frame whose header announces size bytes and that carries
// payload. The mask is zero, so the payload goes as it is.
func (r *raw) writeHeader(first byte, size int, payload []byte) {
	h := []byte{first}
	switch {
	case size < 126:
		h = append(h, 0x80|byte(size))
	case size < 1<<16:
		h = binary.BigEndian.AppendUint16(append(h, 0x80|126), uint16(size))
	default:
		h = binary.BigEndian.AppendUint64(append(h, 0x80|127), uint64(size))
	}
	h = append(h, 0, 0, 0, 0)
	if _, err := r.conn.Write(append(h, payload...)); r.failed == nil {
		r.failed = err
	}
}

func (r *raw) write(opcode byte, payload []byte) {
	r.writeHeader(fin|opcode, len(payload), payload)
}

func (r *raw) writeClose(code uint16) {
	r.write(opClose, binary.BigEndian.AppendUint16(nil, code))
}

// read returns the next frame of the server.
func (r *raw) read() (opcode byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(r.br, h[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(h[1])
	var ext [8]byte
	switch h[1] {
	case 126:
		_, err = io.ReadFull(r.br, ext[6:])
		size = binary.BigEndian.Uint64(ext[:])
	case 127:
		_, err = io.ReadFull(r.br, ext[:])
		size = binary.BigEndian.Uint64(ext[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r.br, payload)
	return h[0] &^ fin, payload, err
}

// wantClose reads up to a close frame with this code.
func (r *raw) wantClose(code uint16) {
	r.t.Helper()
	for {
		opcode, payload, err := r.read()
		switch {
		case err != nil:
			r.t.Errorf("waiting for close code %d: %v", code, err)
			return
		case opcode == opClose:
			if len(payload) < 2 || binary.BigEndian.Uint16(payload) != code {
				r.t.Errorf("close frame %x, want code %d", payload, code)
			}
			return
		}
	}
}
