package pipeline_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// Send over a connection that the application already has.
func ExampleOver() {
	mine, theirs := memchan.New(nil) // any transport.Channel will do

	sink := &pipeline.MemorySink{}
	srv := pipeline.NewServer(sink, nil)
	go srv.Handle(context.Background(), theirs)

	src := pipeline.Blob("hello.txt", strings.NewReader("hello, world"), 12, "")
	result, err := pipeline.Send(context.Background(), []pipeline.Route{pipeline.Over(mine)}, src, nil)
	if err != nil {
		log.Fatal(err)
	}
	content, _ := sink.File("hello.txt")
	fmt.Printf("%s: %d bytes, %v\n", content, result.Size, result.Root)
	// Output:
	// hello, world: 12 bytes, a1a55887535397bf461902491c8779188a5dd1f8c3951b3d9cf6ecba194e87b0
}

// Several ways lead to the receiver. The first is blocked, so that the second
// carries the transfer.
func ExampleSend() {
	sink := &pipeline.MemorySink{}
	srv := pipeline.NewServer(sink, &pipeline.ServerOptions{Token: "secret"})
	routes := []pipeline.Route{
		{Name: "quic", Open: func(ctx context.Context) (transport.Channel, error) {
			<-ctx.Done() // a firewall drops UDP
			return nil, ctx.Err()
		}},
		{Name: "wss", Open: func(context.Context) (transport.Channel, error) {
			mine, theirs := memchan.New(nil)
			go srv.Handle(context.Background(), theirs)
			return mine, nil
		}},
	}
	src := pipeline.Stream("log.txt", strings.NewReader("line 1\nline 2\n"))
	result, err := pipeline.Send(context.Background(), routes, src, &pipeline.SendOptions{
		Token:   "secret",
		Stagger: 10 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes in %d file over %q\n", result.Size, result.Files, result.Routes)
	// Output:
	// 14 bytes in 1 file over ["wss"]
}

// A program that receives: it calls Handle for every channel that any of its
// listeners accepts, and lets transfers finish before it ends.
func ExampleServer() {
	srv := pipeline.NewServer(&pipeline.MemorySink{MaxBytes: 1 << 30}, &pipeline.ServerOptions{
		MaxSize: 100 << 20,
		Notify: func(n pipeline.Notice) {
			fmt.Println(n.Kind, n.Transfer.Entries[0].Path, "from", n.Peer)
		},
	})
	mine, accepted := memchan.New(nil)
	go srv.Handle(pipeline.WithPeer(context.Background(), "192.0.2.7"), accepted)

	src := pipeline.Blob("a.bin", strings.NewReader("0123456789"), 10, "")
	if _, err := pipeline.Send(context.Background(), []pipeline.Route{pipeline.Over(mine)}, src, nil); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		fmt.Println("suspended:", err)
	}
	fmt.Println("files received:", srv.Counters().Completed)
	// Output:
	// started a.bin from 192.0.2.7
	// completed a.bin from 192.0.2.7
	// files received: 1
}

// The hash of a file is computed from its blocks, which may come in any order.
func ExampleRootHash() {
	data := make([]byte, 100_000)
	const size = 64 << 10
	blocks := []pipeline.Hash{
		pipeline.BlockHash(0, size, data[:size], false),
		pipeline.BlockHash(1, size, data[size:], false),
	}
	fmt.Println(pipeline.VerifyBlock(1, size, data[size:], blocks[1]), pipeline.RootHash(blocks))
	// Output:
	// true b1fc3c3bf473596bc8ac1f5c86f77c2fc0e0186a872b88adf841716fe9140a50
}
