// Package tcpchan carries messages over plain TCP, unencrypted: the example that
// docs/adapters.md walks through. On the wire a message is its kind (one byte: 0
// binary, 1 text, 2 end), its length (three bytes, big-endian) and its payload.
package tcpchan

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/pump"
)

const (
	headerSize        = 4
	kindText, kindEnd = 1, 2
	maxMessage        = 1 << 20   // bytes of payload
	socketBuffer      = 256 << 10 // bytes asked of the kernel, which may take twice that
	readStep          = 64 << 10  // bytes set aside before they have arrived
)

// New starts a channel over conn, dialled or accepted, and owns conn from then
// on. A message carries at most 1 MiB. There is no error to return: what is
// wrong with conn, Receive reports.
func New(conn *net.TCPConn) *pump.Channel {
	_ = conn.SetReadBuffer(socketBuffer) // small: Close waits while a slow peer empties both
	_ = conn.SetWriteBuffer(socketBuffer)
	stream := bufio.NewReaderSize(io.MultiReader(conn, broken{}), readStep)
	return pump.New(&carrier{conn: conn, stream: stream}, pump.Config{
		Headroom: headerSize,
		Properties: transport.Properties{
			MaxMessageSize: maxMessage,
			ReceiveBuffer:  2*2*socketBuffer + readStep, // of both kernels, and stream
			Ordered:        true,
			Reliable:       true,
			Buffered:       transport.ReleaseKernel,
		},
	})
}

// Pair returns two connected channels over loopback. Closing both releases
// everything. ctx bounds the dialling; an error wraps the one of package net.
func Pair(ctx context.Context) (a, b transport.Channel, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("tcpchan: %w", err)
	}
	defer ln.Close()
	dialled, err := new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, fmt.Errorf("tcpchan: %w", err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		_ = dialled.Close()
		return nil, nil, fmt.Errorf("tcpchan: %w", err)
	}
	return New(dialled.(*net.TCPConn)), New(accepted.(*net.TCPConn)), nil
}

type carrier struct {
	conn   *net.TCPConn
	stream *bufio.Reader
	head   [headerSize]byte // of the message being read
}

func (c *carrier) WriteMessage(buf []byte, text bool) error {
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-headerSize))
	if text {
		buf[0] = kindText
	}
	_, err := c.conn.Write(buf)
	return err
}

func (c *carrier) WriteEnd() error {
	_, err := c.conn.Write([]byte{kindEnd, 0, 0, 0})
	return err
}

func (c *carrier) ReadMessage(buf []byte) (msg []byte, text bool, err error) {
	if _, err := io.ReadFull(c.stream, c.head[:]); err != nil {
		return nil, false, err
	}
	kind, size := c.head[0], int(binary.BigEndian.Uint32(c.head[:])&0xffffff)
	switch {
	case kind == kindEnd && size == 0:
		return nil, false, io.EOF
	case kind > kindText:
		return nil, false, fmt.Errorf("tcpchan: no message has kind %d and %d bytes", kind, size)
	case size > maxMessage:
		return nil, false, &transport.SizeError{Size: size, Limit: maxMessage}
	}
	for have := 0; have < size; have = len(buf) {
		buf = slices.Grow(buf, min(size-have, readStep))
		buf = buf[:min(size, cap(buf))]
		if _, err := io.ReadFull(c.stream, buf[have:]); err != nil {
			return nil, false, err
		}
	}
	return buf, kind == kindText, nil
}

type broken struct{} // follows a stream that ended without an end mark

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (c *carrier) Close(cause error) {
	if cause != nil {
		_ = c.conn.SetLinger(0) // a reset tells the peer at once
	}
	_ = c.conn.Close()
}
