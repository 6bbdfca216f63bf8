package link_test

import (
	"context"
	"fmt"
	"io"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

func ExampleOpen() {
	spec, err := link.ParseSpec("lossy-wifi,loss=5%")
	if err != nil {
		fmt.Println(err)
		return
	}
	kind := link.Kernel
	if kind.Available() != nil { // not Linux, or not root
		kind = link.User
	}
	n, err := link.Open(spec, kind, 1, &link.Options{CongestionControl: "reno"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()
	listener, err := n.Server().ListenTCP(7)
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "hello from %v", n.Server().Addr())
		c.Close()
	}()
	// The network has no names: dial addresses.
	c, err := n.Client().DialContext(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := io.ReadAll(c)
	fmt.Println(string(message), err)
	// Output: hello from 192.0.2.2 <nil>
}

func ExampleSpec_QueueBytes() {
	spec, err := link.ParseSpec("rtt=50ms,rate=20mbit/100mbit,queue=2bdp")
	if err != nil {
		fmt.Println(err)
		return
	}
	up, down := spec.QueueBytes()
	fmt.Println(up, down, "bytes; one BDP is at most", spec.BDP())
	// Output: 250000 1250000 bytes; one BDP is at most 625000
}
