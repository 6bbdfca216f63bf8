package wschan

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// records is the connection below TLS, which writes record after record of
// 16 KiB at most (RFC 8446, section 5.1). While they are held they are
// gathered, so that a message costs one call of the kernel and wakes the peer
// once.
type records struct {
	net.Conn

	mu   sync.Mutex // guards the fields below
	held bool
	buf  []byte // less than gatherSize and one record
}

// NetConn returns the connection that is wrapped, as [tls.Conn.NetConn] does.
func (r *records) NetConn() net.Conn { return r.Conn }

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return r.Conn.Write(p)
	}
	r.buf = append(r.buf, p...)
	if len(r.buf) < gatherSize {
		return len(p), nil
	}
	return len(p), r.passOn()
}

func (r *records) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
}

func (r *records) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	return r.passOn()
}

func (r *records) passOn() error {
	if len(r.buf) == 0 {
		return nil
	}
	_, err := r.Conn.Write(r.buf)
	r.buf = r.buf[:0]
	return err
}

// recordsOf returns what is below TLS, nil if conn has no TLS or another
// connection below.
func recordsOf(conn net.Conn) *records {
	if secure, ok := conn.(*tls.Conn); ok {
		r, _ := secure.NetConn().(*records)
		return r
	}
	return nil
}

// NewTLSListener is [tls.NewListener] for the HTTP server of an application
// that hands its requests to [Accept] or a [Listener]: channels of its
// connections write several TLS records at once, which makes them faster.
func NewTLSListener(l net.Listener, config *tls.Config) net.Listener {
	return tls.NewListener(recordsListener{l}, config)
}

type recordsListener struct{ net.Listener }

func (l recordsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &records{Conn: conn}, nil
}

func dialRecords(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &records{Conn: conn}, nil
}
