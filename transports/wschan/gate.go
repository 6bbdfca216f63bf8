package wschan

import (
	"net"
	"net/http"
	"sync"
)

// gate is a net.Listener that lets in only so many connections which have not
// become a WebSocket yet. The others wait in the kernel.
type gate struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	stop   sync.Once
}

func newGate(l net.Listener, size int) *gate {
	return &gate{Listener: l, places: make(chan struct{}, size), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case g.places <- struct{}{}:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	conn, err := g.Listener.Accept()
	if err != nil {
		<-g.places
	}
	return conn, err
}

// Close implements net.Listener.
func (g *gate) Close() error {
	g.stop.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// changed is the server's ConnState: a connection leaves its place when it
// becomes a WebSocket or ends.
func (g *gate) changed(_ net.Conn, state http.ConnState) {
	if state == http.StateHijacked || state == http.StateClosed {
		<-g.places
	}
}
