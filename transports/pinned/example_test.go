package pinned_test

import (
	"crypto/tls"
	"fmt"
	"log"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// A server makes its certificate as it starts and prints the pin; the client
// is given the pin and trusts nothing else.
func Example() {
	cert, err := pinned.New()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintln(conn, "aboard")
	}()

	config, err := pinned.Client(pinned.Pin(cert))
	if err != nil {
		log.Fatal(err)
	}
	conn, err := tls.Dial("tcp", listener.Addr().String(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var word string
	fmt.Fscan(conn, &word)
	fmt.Println(word)
	// Output: aboard
}
