package pipeline_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
	"github.com/chunkferry/chunkferry/transports/wschan"
)

// mount adds a receiver to an HTTP server that the application already has.
func mount(mux *http.ServeMux, dir, token string) (*pipeline.Server, error) {
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		return nil, err
	}
	srv := pipeline.NewServer(sink, &pipeline.ServerOptions{Token: token})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		ch, err := wschan.Accept(w, r, nil)
		if err != nil {
			return // answered already
		}
		ctx := pipeline.WithPeer(context.WithoutCancel(r.Context()), r.RemoteAddr)
		if err := srv.Handle(ctx, ch); err != nil {
			log.Print(err)
		}
	})
	return srv, nil
}

// upload sends a file over a WebSocket that the application already has.
func upload(ctx context.Context, conn *websocket.Conn, path, token string) (*pipeline.Result, error) {
	ch, err := wschan.New(conn, nil)
	if err != nil {
		return nil, err
	}
	routes := []pipeline.Route{pipeline.Over(ch)}
	return pipeline.Send(ctx, routes, pipeline.Files(path), &pipeline.SendOptions{Token: token})
}

// The receiver of a file inside an HTTP server, and its sender.
func Example_mount() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "report.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("all is well\n", 1000)), 0o600); err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	incoming := filepath.Join(dir, "incoming")
	if err := os.Mkdir(incoming, 0o700); err != nil {
		log.Fatal(err)
	}
	if _, err := mount(mux, incoming, "secret"); err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(mux)
	defer web.Close()

	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, web.URL+"/upload", nil)
	if err != nil {
		log.Fatal(err)
	}
	result, err := upload(ctx, conn, file, "secret")
	if err != nil {
		log.Fatal(err)
	}
	received, err := os.ReadFile(filepath.Join(incoming, "report.txt"))
	fmt.Println(result.Size, len(received), err)
	// Output:
	// 12000 12000 <nil>
}
