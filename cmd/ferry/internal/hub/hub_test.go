package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echoing is a hub whose channels send back what they receive.
func echoing(t *testing.T, addr string) *Hub {
	t.Helper()
	h, err := Listen(addr, nil)
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
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		t.Run(addr, func(t *testing.T) {
			h := echoing(t, addr)
			a := Address{Host: strings.Replace(h.Addr().String(), "0.0.0.0", "127.0.0.1", 1), Pin: h.Pin()}
			if strings.Contains(a.Host, "::") {
				a.Host = strings.Replace(a.Host, "[::]", "127.0.0.1", 1)
			}
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
	h := echoing(t, "127.0.0.1:0")
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
	if _, err := (Address{}).Routes("pigeon"); err == nil || !strings.Contains(err.Error(), "quic, wss, webrtc") {
		t.Errorf("error %v", err)
	}
}
