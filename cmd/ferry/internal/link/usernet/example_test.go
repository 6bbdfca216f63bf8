package usernet_test

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/usernet"
)

// An HTTP server on one host, a client on the other, 25 ms apart.
func Example() {
	direction := emulator.Config{Delay: 25 * time.Millisecond}
	n, err := usernet.New(direction, direction, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	l, err := n.Server().ListenTCP(80)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.RemoteAddr[:len("192.0.2.1")])
	})}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DialContext: n.Client().DialContext, DisableKeepAlives: true}}
	start := time.Now()
	response, err := client.Get("http://192.0.2.2/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(string(body), err)
	fmt.Println("two round trips or more:", time.Since(start) >= 100*time.Millisecond)
	// Output:
	// hello 192.0.2.1 <nil>
	// two round trips or more: true
}
