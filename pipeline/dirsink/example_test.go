package dirsink_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

// A sink is given to a server; this is what the server does with it.
func Example() {
	dir, err := os.MkdirTemp("", "received")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sink, err := dirsink.New(dir, &dirsink.Options{Overwrite: dirsink.Rename})
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	ctx := context.Background()
	data := []byte("hello, ferry\n")
	store, err := sink.Open(ctx, &pipeline.Manifest{
		ID:        "00112233445566778899aabbccddeeff",
		BlockSize: 1 << 20,
		Size:      int64(len(data)),
		Entries:   []pipeline.Entry{{Path: "notes/hello.txt", Size: int64(len(data)), Mode: 0o644}},
	}, false)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Held(ctx); err != nil {
		log.Fatal(err)
	}
	hash := pipeline.BlockHash(0, 1<<20, data, true)
	if err := store.WriteBlock(0, data, hash); err != nil {
		log.Fatal(err)
	}
	receipt, err := store.Commit(ctx, int64(len(data)), hash)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Files[0].Name, receipt.Size)
	// Output: notes/hello.txt 13
}

// A name that could leave the directory is refused before anything is stored.
func ExampleNameError() {
	dir, err := os.MkdirTemp("", "received")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	_, err = sink.Open(context.Background(), &pipeline.Manifest{
		ID:        "00112233445566778899aabbccddeeff",
		BlockSize: 1 << 20,
		Entries:   []pipeline.Entry{{Path: "../.ssh/authorized_keys"}},
	}, false)
	if name, ok := errors.AsType[*dirsink.NameError](err); ok {
		fmt.Println("because", name.Rule)
	}
	fmt.Println(err)
	// Output:
	// because a component is ".."
	// pipeline: "../.ssh/authorized_keys": name not allowed: a component is ".."
}

// A server forgets once a day what nobody has continued for a week.
func ExampleSink_Clean() {
	dir, err := os.MkdirTemp("", "received")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	cleaned, err := sink.Clean(context.Background(), 7*24*time.Hour)
	fmt.Println(len(cleaned), err)
	// Output: 0 <nil>
}
