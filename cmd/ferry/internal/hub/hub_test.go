package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echoing is a hub whose channels send back what they receive.
func echoing(t *testing.T, addr string, plain bool) *Hub {
	t.Helper()
	cert, err := pinned.New()
	if err != nil {
		t.Fatal(err)
	}
	h, err := Listen(addr, cert, plain)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		h.Serve(ctx, func(a Accepted) {
			defer a.Channel.Close()
			for {
				m, err := a.Channel.Receive(ctx)
				if err != nil || a.Channel.SendText(a.Transport+" "+string(m.Data)) != nil {
					return
				}
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-served
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestEveryTransportOnOnePort(t *testing.T) {
	tests := []struct {
		addr  string
		plain bool
	}{{"127.0.0.1:0", false}, {"127.0.0.1:0", true}, {":0", false}}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s plain=%v", tt.addr, tt.plain), func(t *testing.T) {
			h := echoing(t, tt.addr, tt.plain)
			a := Address{Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(h.Addr().Port)), Plain: tt.plain, Pin: h.Pin()}
			routes, err := a.Routes()
			if err != nil {
				t.Fatal(err)
			}
			var open []transport.Channel
			for _, r := range routes { // all of them open at once, on one socket
				ch, err := r.Open(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", r.Name, err)
				}
				defer ch.Close()
				open = append(open, ch)
			}
			for i, ch := range open {
				if err := ch.SendText("hello"); err != nil {
					t.Fatal(err)
				}
				m, err := ch.Receive(t.Context())
				if want := routes[i].Name + " hello"; err != nil || string(m.Data) != want {
					t.Errorf("received %q, %v; want %q", m.Data, err, want)
				}
				if p, _ := transport.PropertiesOf(ch); p.Label != Label {
					t.Errorf("%s: label %q", routes[i].Name, p.Label)
				}
			}
		})
	}
}

func TestWrongPin(t *testing.T) {
	h := echoing(t, "127.0.0.1:0", false)
	a := Address{Host: h.Addr().String(), Pin: somePin}
	routes, err := a.Routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		ch, err := r.Open(ctx)
		cancel()
		if !errors.Is(err, pinned.ErrPin) {
			t.Errorf("%s: %v, %v; want ErrPin", r.Name, ch, err)
		}
	}
}

func TestRoutesRefuse(t *testing.T) {
	if _, err := (Address{}).Routes("pigeon"); err == nil || !strings.Contains(err.Error(), "quic, ws, wss, webrtc") {
		t.Errorf("error %v", err)
	}
	if _, err := (Address{Plain: true}).Routes("wss"); err == nil || !strings.Contains(err.Error(), "there is no wss") {
		t.Errorf("error %v", err)
	}
	if routes, err := (Address{}).Routes("ws"); err != nil || routes[0].Name != "wss" {
		t.Errorf("ws at an encrypted address: %v, %v", routes, err)
	}
}
