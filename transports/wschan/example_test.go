package wschan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transports/wschan"
)

// A listener with a certificate made on the spot, and a client that knows its
// pin.
func Example() {
	ctx := context.Background()
	l, err := wschan.Listen("127.0.0.1:0", &wschan.Options{Secure: true})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		ch, err := wschan.Dial(ctx, l.URL(), &wschan.Options{Pin: l.Pin(), Label: "greeting"})
		if err != nil {
			log.Fatal(err)
		}
		if err := errors.Join(ch.Send([]byte("hello")), ch.Close()); err != nil {
			log.Fatal(err)
		}
	}()

	ch, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	fmt.Println(ch.Properties().Label)
	for {
		m, err := ch.Receive(ctx)
		if err == io.EOF {
			fmt.Println("the end")
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", m.Data)
	}
	// Output:
	// greeting
	// hello
	// the end
}

// A handler among others on the application's own server.
func ExampleAccept() {
	mux := http.NewServeMux()
	mux.HandleFunc("/shout", func(w http.ResponseWriter, r *http.Request) {
		ch, err := wschan.Accept(w, r, &wschan.Options{OriginPatterns: []string{"app.example.com"}})
		if err != nil {
			return // the request has been answered
		}
		defer ch.Close()
		for {
			m, err := ch.Receive(context.Background()) // not r.Context(): it has ended
			if err != nil {
				return
			}
			if err := ch.SendText(strings.ToUpper(string(m.Data))); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	ctx := context.Background()
	ch, err := wschan.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http")+"/shout", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	if err := ch.SendText("anybody there?"); err != nil {
		log.Fatal(err)
	}
	m, err := ch.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", m.Data)
	// Output: ANYBODY THERE?
}

// A channel over a connection that the application has dialled itself.
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
	client, err := wschan.New(conn, nil)
	if err != nil {
		log.Fatal(err)
	}
	server, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Send(make([]byte, 1<<20)); err != nil {
		log.Fatal(err)
	}
	m, err := server.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(m.Data))
	go server.Close()
	fmt.Println(client.Close())
	// Output:
	// 1048576
	// <nil>
}
