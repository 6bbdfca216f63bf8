package wschan

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// gatherSize is how much of a message is handed to the kernel (or to TLS) at
// once.
const gatherSize = 64 << 10

// stream is the byte stream under a WebSocket. It gathers the many small writes
// that the library makes of one message, and remembers that the stream has
// ended.
type stream struct {
	io.ReadWriteCloser
	ended atomic.Pointer[error] // what Read has returned

	mu        sync.Mutex // guards the fields below
	held      []byte
	gathering bool
}

// Read passes what comes with an error first, and then the error.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.ended.Load(); err != nil {
		return 0, *err
	}
	n, err := s.ReadWriteCloser.Read(p)
	if err != nil {
		s.ended.Store(&err)
		if n > 0 {
			return n, nil
		}
	}
	return n, err
}

// broken reports whether something was read for and did not come.
func (s *stream) broken() bool { return s.ended.Load() != nil }

// gather has Write hold back until flush.
func (s *stream) gather() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gathering = true
}

// Write is called by the library, also beside gather and flush: for control
// frames. What is held keeps its place before p.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gathering {
		return s.ReadWriteCloser.Write(p)
	}
	if len(s.held)+len(p) > gatherSize {
		if err := s.writeHeld(); err != nil {
			return 0, err
		}
		if len(p) >= gatherSize {
			return s.ReadWriteCloser.Write(p)
		}
	}
	if s.held == nil {
		s.held = make([]byte, 0, gatherSize)
	}
	s.held = append(s.held, p...)
	return len(p), nil
}

func (s *stream) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gathering = false
	return s.writeHeld()
}

func (s *stream) writeHeld() error {
	if len(s.held) == 0 {
		return nil
	}
	_, err := s.ReadWriteCloser.Write(s.held)
	s.held = s.held[:0]
	return err
}

// upgrader puts a stream under the WebSocket of a client.
type upgrader struct {
	http.RoundTripper
	stream *stream
}

// RoundTrip implements http.RoundTripper.
func (u *upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if body, ok := resp.Body.(io.ReadWriteCloser); ok {
		u.stream = &stream{ReadWriteCloser: body}
		resp.Body = u.stream
	}
	return resp, nil
}

// hijacker puts a stream under the WebSocket of a server.
type hijacker struct {
	http.ResponseWriter
	stream *stream
	conn   net.Conn
}

// canHijack reports whether w, or what it wraps, is an http.Hijacker.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn, h.stream = conn, &stream{ReadWriteCloser: conn}
	buf.Writer.Reset(h.stream)
	return &hijacked{conn, h.stream}, buf, nil
}

// WriteHeaderNow passes on what gin's ResponseWriter has to be told.
func (h *hijacker) WriteHeaderNow() {
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}

// hijacked is the connection with the stream in front.
type hijacked struct {
	net.Conn
	stream *stream
}

func (h *hijacked) Read(p []byte) (int, error)  { return h.stream.Read(p) }
func (h *hijacked) Write(p []byte) (int, error) { return h.stream.Write(p) }

// tcpOf finds the TCP connection below conn, nil if there is none.
func tcpOf(conn net.Conn) *net.TCPConn {
	for {
		switch c := conn.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }: // *tls.Conn
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
