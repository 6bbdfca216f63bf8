package quicchan_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// A listener and a dialler who know nothing of each other but a URL and a pin.
func Example() {
	ctx := context.Background()
	l, err := quicchan.Listen("127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	go func() {
		ch, err := quicchan.Dial(ctx, l.URL(), &quicchan.Options{Pin: l.Pin(), Label: "video"})
		if err != nil {
			log.Fatal(err)
		}
		if err := ch.Send([]byte("chunk")); err != nil {
			log.Fatal(err)
		}
		if err := ch.Close(); err != nil { // everything has arrived
			log.Fatal(err)
		}
	}()

	ch, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer ch.Close()
	for {
		msg, err := ch.Receive(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", ch.Properties().Label, msg.Data)
	}
	// Output: video: chunk
}

// An application that has a QUIC connection already makes channels of its
// streams.
func ExampleNew() {
	ctx := context.Background()
	client, server, closeAll := applicationConns(ctx)
	defer closeAll()

	go func() {
		stream, err := client.OpenStream()
		if err != nil {
			log.Fatal(err)
		}
		ch, err := quicchan.New(stream, nil)
		if err != nil {
			log.Fatal(err)
		}
		ch.SendText("ahoy")
	}()

	stream, err := server.AcceptStream(ctx)
	if err != nil {
		log.Fatal(err)
	}
	ch, err := quicchan.New(stream, nil)
	if err != nil {
		log.Fatal(err)
	}
	msg, err := ch.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", msg.Data)
	// Output: ahoy
}

// One UDP port for several things: the application owns the transport and
// dispatches connections by their protocol.
func ExampleAccept() {
	ctx := context.Background()
	client, server, closeAll := applicationConns(ctx)
	defer closeAll()

	go func() {
		ch, err := quicchan.Open(ctx, client, &quicchan.Options{Label: "dataset"})
		if err != nil {
			log.Fatal(err)
		}
		ch.SendText("ahoy")
	}()

	if server.ConnectionState().TLS.NegotiatedProtocol != quicchan.ALPN {
		log.Fatal("something else")
	}
	ch, err := quicchan.Accept(ctx, server, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ch.Properties().Label)
	// Output: dataset
}

// applicationConns is what an application does without this package.
func applicationConns(ctx context.Context) (client, server *quic.Conn, closeAll func()) {
	cert, err := pinned.New()
	if err != nil {
		log.Fatal(err)
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	tr := &quic.Transport{Conn: socket}
	l, err := tr.Listen(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{quicchan.ALPN}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	config, err := pinned.Client(pinned.Pin(cert))
	if err != nil {
		log.Fatal(err)
	}
	config.NextProtos = []string{quicchan.ALPN}
	if client, err = tr.Dial(ctx, socket.LocalAddr(), config, nil); err != nil {
		log.Fatal(err)
	}
	if server, err = l.Accept(ctx); err != nil {
		log.Fatal(err)
	}
	return client, server, func() {
		client.CloseWithError(0, "")
		tr.Close()
		socket.Close()
	}
}
