package wschan

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// gatherSize is how much of a message is handed to the kernel (or to TLS) at
// once, at least.
const gatherSize = 64 << 10

// maxHeader is the longest header of a frame, RFC 6455, section 5.2: two bytes,
// a length of eight and a mask of four.
const maxHeader = 14

// stream is the byte stream under a WebSocket. It gathers the many small writes
// that the library makes of one message, and remembers that the stream has
// ended.
type stream struct {
	io.ReadWriteCloser
	masked  bool     // frames are a client's
	records *records // what is below TLS, nil if unknown
	ended   error    // what Read has met; the reader's

	mu    sync.Mutex // guards the fields below
	frame []byte     // where the data frame that is expected is gathered, nil if none
	come  int        // bytes of it that the library has written
	gone  int        // bytes of it that were passed on
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

// expect announces a message, unfragmented, in buf behind maxHeader bytes of
// room. The frame is made in that place: what the library writes is either what
// is there already, or its masked form. buf is the stream's until the message
// is written.
func (s *stream) expect(buf []byte) {
	size, header := len(buf)-maxHeader, 2
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
	s.frame, s.come, s.gone = buf[maxHeader-header:], 0, 0
}

// Write is called by the library, frame after frame. A control frame, which is
// one call, may come before the message that is expected, and goes at once: the
// library may close the connection behind it.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frame == nil || len(p) == 0 || s.come == 0 && isControl(p) {
		return s.ReadWriteCloser.Write(p)
	}
	if len(p) > len(s.frame)-s.come {
		return 0, errFrame
	}
	if place := s.frame[s.come:]; &place[0] != &p[0] {
		copy(place, p)
	}
	s.come += len(p)
	if s.come < len(s.frame) && s.come-s.gone < gatherSize {
		return len(p), nil
	}
	err := s.passOn(s.frame[s.gone:s.come])
	s.gone = s.come
	if s.come == len(s.frame) {
		s.frame = nil
	}
	return len(p), err
}

func (s *stream) passOn(p []byte) error {
	if s.records != nil {
		s.records.hold()
	}
	_, err := s.ReadWriteCloser.Write(p)
	if s.records != nil {
		err = cmp.Or(err, s.records.release())
	}
	return err
}

// errFrame means that the library has not made one frame of a message.
var errFrame = errors.New("wschan: more was written than the frame of a message")

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
