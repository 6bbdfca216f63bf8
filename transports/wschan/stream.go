package wschan

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// gatherSize is how much of a message is handed to the kernel (or to TLS) at
// once.
const gatherSize = 64 << 10

// stream is the byte stream under a WebSocket. It gathers the many small writes
// that the library makes of one message, and remembers that the stream has
// ended.
type stream struct {
	io.ReadWriteCloser
	masked bool  // frames are a client's
	ended  error // what Read has met; the reader's

	mu   sync.Mutex // guards the fields below
	next int        // bytes of the data frame that is expected
	left int        // bytes of it that have not been written
	held []byte
}

// Read passes what comes with an error first, and then the error.
func (s *stream) Read(p []byte) (int, error) {
	if s.ended != nil {
		return 0, s.ended
	}
	n, err := s.ReadWriteCloser.Read(p)
	s.ended = err
	if n > 0 {
		return n, nil
	}
	return n, err
}

// broken reports whether something was read for and did not come.
func (s *stream) broken() bool { return s.ended != nil }

// expect announces a message of size bytes, unfragmented: Write holds its bytes
// back and lets them go with the last one.
func (s *stream) expect(size int) {
	header := 2
	switch {
	case size >= 1<<16:
		header += 8
	case size > 125:
		header += 2
	}
	if s.masked {
		header += 4
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = header + size
	s.left = s.next
}

// Write is called by the library, frame after frame. A control frame, which is
// one call, may come before the message that is expected, and goes at once: the
// library may close the connection behind it.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || s.left == s.next && isControl(p) {
		return s.ReadWriteCloser.Write(p)
	}
	s.left = max(0, s.left-len(p))
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
	if s.left > 0 {
		return len(p), nil
	}
	return len(p), s.writeHeld()
}

func (s *stream) writeHeld() error {
	if len(s.held) == 0 {
		return nil
	}
	_, err := s.ReadWriteCloser.Write(s.held)
	s.held = s.held[:0]
	return err
}

func isControl(frame []byte) bool { return len(frame) > 0 && frame[0]&0x0F >= opClose }

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
		u.stream = &stream{ReadWriteCloser: body, masked: true}
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
