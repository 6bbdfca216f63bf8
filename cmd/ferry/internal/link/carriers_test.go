package link_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

// The carriers' own libraries, over both kinds of link: what ferry compare
// needs of a link, without its adapters.

const carried = 1 << 20

func payload() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{3}), carried) }

func sum(t *testing.T, r io.Reader) [32]byte {
	t.Helper()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil || n != carried {
		t.Fatalf("%d of %d bytes: %v", n, carried, err)
	}
	return [32]byte(h.Sum(nil))
}

const badLink = "rtt=10ms,jitter=1ms,rate=100mbit,loss=0.2%,corrupt=0.1%,duplicate=0.1%"

func TestWebSocket(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, badLink, kind, 1, nil)
		l, err := n.Server().ListenTCP(0)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan [32]byte, 1)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c.SetReadLimit(carried)
			_, message, err := c.Reader(r.Context())
			if err != nil {
				t.Error(err)
				return
			}
			got <- sum(t, message)
			c.Close(websocket.StatusNormalClosure, "")
		})}
		go server.Serve(l)
		defer server.Close()
		transport := &http.Transport{DialContext: n.Client().DialContext}
		defer transport.CloseIdleConnections()
		c, _, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String(), &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		message, err := io.ReadAll(payload())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), websocket.MessageBinary, message); err != nil {
			t.Fatal(err)
		}
		if <-got != sum(t, payload()) {
			t.Error("the bytes differ")
		}
		c.CloseRead(t.Context())
		c.Close(websocket.StatusNormalClosure, "")
	})
}

func TestQUIC(t *testing.T) {
	certificate, err := pinned.New()
	if err != nil {
		t.Fatal(err)
	}
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, badLink, kind, 1, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		transport := func(h link.Host) *quic.Transport {
			conn, err := h.ListenPacket(0)
			if err != nil {
				t.Fatal(err)
			}
			return &quic.Transport{Conn: conn}
		}
		here, there := transport(n.Client()), transport(n.Server())
		defer here.Close()
		defer there.Close()
		l, err := there.Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"test"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := here.Dial(ctx, l.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"test"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseWithError(0, "")
		out, err := c.OpenUniStreamSync(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.Copy(out, payload())
			out.Close()
		}()
		s, err := l.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.AcceptUniStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if sum(t, in) != sum(t, payload()) {
			t.Error("the bytes differ")
		}
	})
}

func TestDataChannel(t *testing.T) {
	eachKind(t, func(t *testing.T, kind link.Kind) {
		n := open(t, badLink, kind, 1, nil)
		peer := func(h link.Host) (*webrtc.PeerConnection, ice.UDPMux) {
			conn, err := h.ListenPacket(0)
			if err != nil {
				t.Fatal(err)
			}
			mux := webrtc.NewICEUDPMux(nil, conn)
			var settings webrtc.SettingEngine
			settings.SetICEUDPMux(mux)
			settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
			settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
			pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
			if err != nil {
				t.Fatal(err)
			}
			return pc, mux
		}
		here, hereMux := peer(n.Client())
		there, thereMux := peer(n.Server())
		defer func() {
			for _, err := range []error{here.GracefulClose(), there.GracefulClose(), hereMux.Close(), thereMux.Close()} {
				if err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			}
		}()
		dc, err := here.CreateDataChannel("test", nil)
		if err != nil {
			t.Fatal(err)
		}
		const message = 16 << 10
		dc.OnOpen(func() {
			r, buf := payload(), make([]byte, message)
			for range carried / message {
				io.ReadFull(r, buf)
				if err := dc.Send(buf); err != nil {
					t.Error(err)
				}
			}
		})
		r, w := io.Pipe()
		there.OnDataChannel(func(dc *webrtc.DataChannel) {
			got := 0
			dc.OnMessage(func(m webrtc.DataChannelMessage) {
				w.Write(m.Data)
				if got += len(m.Data); got == carried {
					w.Close()
				}
			})
		})
		describe(t, here, there)
		time.AfterFunc(30*time.Second, func() { w.CloseWithError(context.DeadlineExceeded) })
		if sum(t, r) != sum(t, payload()) {
			t.Error("the bytes differ")
		}
	})
}

// describe exchanges the session descriptions, all candidates included.
func describe(t *testing.T, here, there *webrtc.PeerConnection) {
	t.Helper()
	gathered := func(pc *webrtc.PeerConnection, d webrtc.SessionDescription, err error) webrtc.SessionDescription {
		if err != nil {
			t.Fatal(err)
		}
		done := webrtc.GatheringCompletePromise(pc)
		if err := pc.SetLocalDescription(d); err != nil {
			t.Fatal(err)
		}
		<-done
		return *pc.LocalDescription()
	}
	offer, err := here.CreateOffer(nil)
	offer = gathered(here, offer, err)
	if err := there.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, err := there.CreateAnswer(nil)
	answer = gathered(there, answer, err)
	if err := here.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
}
