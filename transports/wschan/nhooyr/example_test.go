package nhooyr_test

import (
	"context"
	"fmt"
	"log"

	"nhooyr.io/websocket"

	"github.com/chunkferry/chunkferry/transports/wschan"
	"github.com/chunkferry/chunkferry/transports/wschan/nhooyr"
)

// An application that still dials with nhooyr.io/websocket, and a server that
// does not.
func ExampleNew() {
	ctx := context.Background()
	l, err := wschan.Listen("127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	conn, _, err := websocket.Dial(ctx, l.URL(), nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := nhooyr.New(conn, nil)
	if err != nil {
		log.Fatal(err)
	}
	server, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.SendText("still here"); err != nil {
		log.Fatal(err)
	}
	m, err := server.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", m.Data)
	go server.Close()
	fmt.Println(client.Close())
	// Output:
	// still here
	// <nil>
}
