// Package nhooyr makes message channels of connections that an application
// holds from nhooyr.io/websocket. That library is no longer maintained; its
// continuation with the same API is github.com/coder/websocket, for which
// package wschan has New, Dial and Accept. All behaviour is wschan's: this
// package only lets it speak to the other type of connection.
//
// # Buffered amount
//
// As wschan.New.
//
// # Ordering and size
//
// As wschan.New.
//
// # Closing
//
// As wschan.New.
//
// # Security
//
// Whoever dialled or accepted the connection has decided about TLS and foreign
// origins.
//
// # Peculiarities
//
// As wschan.New, with one more: the library has no hook for pings, so a ping
// that arrives while a write has been blocked for 5 seconds always ends the
// connection. Compression must be off, which is the library's default.
package nhooyr

import (
	"nhooyr.io/websocket"

	"github.com/chunkferry/chunkferry/transports/wschan"
)

// New is wschan.New for a connection of nhooyr.io/websocket. Of Options only
// Label, MaxMessageSize, MaxBuffered and CloseTimeout matter.
//
// It returns wschan.ErrLabel.
func New(conn *websocket.Conn, o *wschan.Options) (*wschan.Channel, error) {
	return wschan.Over(conn, closeCode, o)
}

func closeCode(err error) int { return int(websocket.CloseStatus(err)) }
