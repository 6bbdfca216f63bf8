package wschan

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transport/transporttest"
)

// quick makes for shorter stalls and closes than the defaults, which the race
// detector and masking by hand make long.
var quick = Options{MaxBuffered: 4 << 20, CloseTimeout: 5 * time.Second}

func TestConformance(t *testing.T) {
	plain := Pair
	if raceEnabled {
		plain = func(ctx context.Context) (a, b transport.Channel, err error) { return open(ctx, &quick) }
	}
	secure := func(ctx context.Context) (a, b transport.Channel, err error) {
		o := quick
		o.Secure = true
		return open(ctx, &o)
	}
	for _, tt := range []struct {
		name string
		pair transporttest.Pair
		opts *transporttest.Options
	}{
		{"ws", plain, &transporttest.Options{Cut: CutPair, Many: ManyPair, Parallel: true}},
		{"wss", secure, &transporttest.Options{Cut: CutPair, Many: ManyPair, Parallel: true}},
		{"new", newPair, &transporttest.Options{Parallel: true}},
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
	if a, err = New(conn, &quick); err != nil {
		return nil, nil, err
	}
	if b, err = New(<-accepted, &quick); err != nil {
		return nil, nil, err
	}
	return a, b, nil
}
