package wschan

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
)

func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name string
		pair transporttest.Pair
		opts *transporttest.Options
	}{
		{"ws", Pair, &transporttest.Options{Cut: CutPair, Many: ManyPair}},
		{"wss", SecurePair, &transporttest.Options{Cut: CutPair, Many: ManyPair}},
		{"new", newPair, nil},
	} {
		t.Run(tt.name, func(t *testing.T) { transporttest.Run(t, tt.pair, tt.opts) })
	}
}

// newPair makes its channels of connections that the application has made.
func newPair(ctx context.Context) (a, b transport.Channel, err error) {
	accepted := make(chan *websocket.Conn, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			accepted <- conn
		}
	}))
	defer server.Close()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		return nil, nil, err
	}
	if a, err = New(conn, nil); err != nil {
		return nil, nil, err
	}
	if b, err = New(<-accepted, nil); err != nil {
		return nil, nil, err
	}
	return a, b, nil
}
