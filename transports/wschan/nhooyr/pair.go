package nhooyr

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"nhooyr.io/websocket"

	"github.com/chunkferry/chunkferry/transport"
)

// Pair returns the two ends of a ws connection over loopback, both of
// nhooyr.io/websocket: a has dialled, b has accepted. Closing both releases
// everything.
func Pair(ctx context.Context) (a, b transport.Channel, err error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("nhooyr: %w", err)
	}
	accepted := make(chan *websocket.Conn, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err == nil {
			accepted <- conn
		}
	})}
	go server.Serve(socket)
	defer server.Close()

	client, _, err := websocket.Dial(ctx, "ws://"+socket.Addr().String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("nhooyr: %w", err)
	}
	if a, err = New(client, nil); err != nil {
		return nil, nil, err
	}
	select {
	case conn := <-accepted:
		b, err = New(conn, nil)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		transport.Abort(a)
		return nil, nil, err
	}
	return a, b, nil
}
