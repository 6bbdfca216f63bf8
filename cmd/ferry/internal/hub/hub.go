package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
	"github.com/chunkferry/chunkferry/transports/wschan"
)

// Hub accepts channels of every transport on one port number.
type Hub struct {
	addr   *net.TCPAddr
	cert   tls.Certificate
	server *http.Server
	tr     *quic.Transport
	socket io.Closer

	ws  *wschan.Listener
	qu  *quicchan.Listener
	dc  *dcchan.Handler
	rtc *rest

	webName string // of WebSocket: ws or wss

	running sync.WaitGroup
}

// Accepted is a channel that a peer has opened.
type Accepted struct {
	Channel   transport.Channel
	Transport string // the name of its transport
	Peer      string // the host it comes from, or its transport if that is not known
}

// headerTimeout is what a stranger may take for a request's header.
const headerTimeout = 10 * time.Second

// Listen listens on a TCP address and on the same UDP port; with port 0 the
// system chooses one that is free for both. Senders pin cert. With plain, what
// goes over TCP is not encrypted.
func Listen(addr string, cert tls.Certificate, plain bool) (h *Hub, err error) {
	h = &Hub{cert: cert, webName: "wss"}
	if plain {
		h.webName = "ws"
	}
	listener, socket, err := samePort(addr)
	if err != nil {
		return nil, err
	}
	udp := newShared(socket)
	h.addr, h.socket = listener.Addr().(*net.TCPAddr), udp
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	if h.ws, err = wschan.NewHandler(nil); err != nil {
		return nil, err
	}
	h.rtc = udp.rest
	if h.dc, err = dcchan.NewHandler(&dcchan.Options{PacketConn: udp.rest}); err != nil {
		return nil, err
	}
	h.tr = &quic.Transport{Conn: udp}
	if h.qu, err = quicchan.Serve(h.tr, &quicchan.Options{TLS: &tls.Config{Certificates: []tls.Certificate{h.cert}}}); err != nil {
		return nil, err
	}
	h.server = &http.Server{
		Handler:           h.mux(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       headerTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	if !plain {
		listener = wschan.NewTLSListener(listener, &tls.Config{Certificates: []tls.Certificate{h.cert}, NextProtos: []string{"http/1.1"}})
	}
	h.running.Go(func() { h.server.Serve(listener) })
	return h, nil
}

// samePort finds a port number that TCP and UDP can have both.
func samePort(addr string) (net.Listener, *net.UDPConn, error) {
	for tries := 0; ; tries++ {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		tcp := listener.Addr().(*net.TCPAddr)
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone})
		if err == nil {
			return listener, socket, nil
		}
		listener.Close()
		if _, port, _ := net.SplitHostPort(addr); port != "0" || tries == 10 {
			return nil, nil, err
		}
	}
}

func (h *Hub) mux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pathWebSocket, h.ws)
	mux.Handle(pathWebRTC, h.dc)
	mux.Handle(pathWebRTC+"/", h.dc)
	return mux
}

// Addr returns the address listened on.
func (h *Hub) Addr() *net.TCPAddr { return h.addr }

// Pin returns the SHA-256 of the certificate.
func (h *Hub) Pin() string { return pinned.Pin(h.cert) }

// Serve calls handle for every channel accepted, each in its own goroutine,
// until ctx is done and all of them have returned.
func (h *Hub) Serve(ctx context.Context, handle func(Accepted)) {
	var handlers, loops sync.WaitGroup
	accept := func(name string, next func() (transport.Channel, error)) {
		loops.Go(func() {
			for {
				ch, err := next()
				switch {
				case err == nil:
					handlers.Go(func() { handle(Accepted{ch, name, peerOf(ch, name)}) })
				case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
					return
				}
			}
		})
	}
	accept(h.webName, func() (transport.Channel, error) { return h.ws.Accept(ctx) })
	accept("quic", func() (transport.Channel, error) { return h.qu.Accept(ctx) })
	accept("webrtc", func() (transport.Channel, error) { return h.dc.Accept(ctx) })
	loops.Wait()
	handlers.Wait()
}

// peerOf is the host that a channel leads to, so that limits for each peer see
// through its ports and transports.
func peerOf(ch transport.Channel, fallback string) string {
	var addr string
	switch c := ch.(type) {
	case interface{ RemoteAddr() net.Addr }:
		if a := c.RemoteAddr(); a != nil {
			addr = a.String()
		}
	case *quicchan.Channel:
		addr = c.Conn().RemoteAddr().String()
	case *dcchan.Channel:
		pair, err := c.Conn().PeerConnection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err == nil && pair != nil {
			return pair.Remote.Address
		}
	}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return fallback
}

// Close stops listening and releases everything. Channels should be closed
// before: those over UDP end with it.
func (h *Hub) Close() error {
	var errs []error
	if h.server != nil {
		errs = append(errs, h.server.Close())
	}
	if h.ws != nil {
		errs = append(errs, h.ws.Close())
	}
	if h.dc != nil {
		errs = append(errs, h.dc.Close())
	}
	if h.qu != nil {
		errs = append(errs, h.qu.Close())
	}
	if h.tr != nil {
		errs = append(errs, h.tr.Close())
	}
	if h.socket != nil {
		errs = append(errs, h.socket.Close())
	}
	h.running.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the hub: %w", err)
	}
	return nil
}
