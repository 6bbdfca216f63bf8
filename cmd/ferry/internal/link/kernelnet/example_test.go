package kernelnet_test

import (
	"errors"
	"fmt"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/kernelnet"
)

// Where the link cannot run, the error says why and what to do; so the example
// has no fixed output.
func Example() {
	n, err := kernelnet.New(emulator.Config{}, emulator.Config{}, &kernelnet.Options{CongestionControl: kernelnet.Reno})
	if unavailable, ok := errors.AsType[*kernelnet.UnavailableError](err); ok {
		fmt.Println("no kernel links:", unavailable)
		return
	}
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
	fmt.Println("listening:", l.Addr().String() == "192.0.2.2:80")
}
