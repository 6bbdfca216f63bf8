package dcchan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
)

// Handler answers offers over HTTP and gives out the channels that peers open.
// Mount it under any path; the sessions it makes are below that path.
//
//	POST   path       an SDP offer with all candidates; 201, an SDP answer, and Location
//	DELETE Location   ends the session; 200
//
// That is the shape of WHIP (RFC 9725) without trickling. Offers need the
// Content-Type application/sdp, which browsers send to a foreign origin only
// after asking (CORS preflight), and that is refused. Whoever may post may
// connect: authenticate in front of the handler.
type Handler struct {
	opts     Options
	api      *webrtc.API
	mux      ice.UDPMux // nil: pion's own sockets
	accepted chan *Channel
	closed   chan struct{}

	mu    sync.Mutex // guards the field below
	conns map[string]*Conn
}

// NewHandler returns a handler for an existing HTTP server. On a server that
// listens on a loopback address only, give it Options.PacketConn bound there.
// Close it after the server.
//
// It returns ErrLabel if the options are not valid, or the error of finding the
// network's interfaces.
func NewHandler(o *Options) (*Handler, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{
		opts:     opts,
		accepted: make(chan *Channel, opts.MaxPeers*opts.MaxChannels),
		closed:   make(chan struct{}),
		conns:    make(map[string]*Conn),
	}
	if opts.PacketConn != nil {
		h.mux = newMux(opts.PacketConn)
	}
	if h.api, err = newAPI(opts, h.mux, false); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Accept waits, until ctx is done, for the next channel that any peer opens. It
// may be called concurrently. After Close it returns [transport.ErrClosed].
func (h *Handler) Accept(ctx context.Context) (*Channel, error) {
	select {
	case c := <-h.accepted:
		return c, nil
	case <-h.closed:
		return nil, transport.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close refuses further offers, wakes Accept, and aborts the connections that
// are left with their channels. It returns nil.
func (h *Handler) Close() error {
	h.mu.Lock()
	if !isClosed(h.closed) {
		close(h.closed)
	}
	var left []*Conn
	for _, p := range h.conns {
		left = append(left, p)
	}
	h.mu.Unlock()
	for _, p := range left {
		p.kill()
	}
	for _, p := range left {
		p.abandon()
		<-p.gone
	}
	if h.mux != nil {
		h.mux.Close()
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		h.post(w, r)
	case http.MethodDelete:
		h.delete(w, r)
	default:
		w.Header().Set("Allow", "POST, DELETE")
		http.Error(w, "post an SDP offer", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != mediaType {
		http.Error(w, "an offer is "+mediaType, http.StatusUnsupportedMediaType)
		return
	}
	offer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSDP))
	if err != nil {
		http.Error(w, "an offer has at most 64 KiB", http.StatusRequestEntityTooLarge)
		return
	}
	id, p, err := h.admit()
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.ConnectTimeout)
	defer cancel()
	answer, err := p.answer(ctx, string(offer))
	if err != nil {
		p.kill()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	mounted, _, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set("Location", path.Join(mounted, id))
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, answer) // a peer that left is noticed by ICE
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	p := h.conns[path.Base(r.URL.Path)]
	h.mu.Unlock()
	if p == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	p.kill()
}

// admit makes a connection, if there is room for one.
func (h *Handler) admit() (id string, p *Conn, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if isClosed(h.closed) {
		return "", nil, transport.ErrClosed
	}
	if len(h.conns) >= h.opts.MaxPeers {
		return "", nil, fmt.Errorf("dcchan: %d peers are connected already", len(h.conns))
	}
	if p, err = newConn(h.api, nil, h.opts); err != nil {
		return "", nil, err
	}
	// Until the first channel opens, and again after the last one has ended.
	p.idle = time.AfterFunc(h.opts.ConnectTimeout, p.kill)
	p.pc.OnDataChannel(func(dc *webrtc.DataChannel) { p.channel(dc, h.offer) })
	id = rand.Text()
	h.conns[id] = p
	go func() {
		<-p.gone
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, id)
	}()
	return id, p, nil
}

// offer puts an open channel where Accept finds it. There is room for all that
// the limits allow; channels that ended unaccepted may fill it.
func (h *Handler) offer(c *Channel) {
	select {
	case h.accepted <- c:
	default:
		c.Abort()
	}
}

// answer agrees to an offer.
func (p *Conn) answer(ctx context.Context, offer string) (string, error) {
	err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	if err != nil {
		return "", fmt.Errorf("dcchan: the offer: %w", err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("dcchan: answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("dcchan: answer: %w", err)
	}
	select {
	case <-gathered:
		return p.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// abandon has the channels that are left keep nothing, so that pion's readers
// end.
func (p *Conn) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.reading {
		c.in.Abandon(transport.ErrClosed)
	}
}
