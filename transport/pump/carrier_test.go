package pump

import (
	"errors"
	"io"
	"sync/atomic"
)

// wire is an in-memory Carrier: one end of a connection that holds a few
// frames each way.
type wire struct {
	out, in chan frame
	closed  chan struct{} // this end
	peer    chan struct{} // the other end
	broken  chan struct{} // closing it makes our writes fail, not our reads
	breaks  error         // what they return then
	causes  chan error    // what Close was called with
	taken   atomic.Int64  // frames that this end has read
	other   *wire
}

type frame struct {
	data []byte
	text bool
	mark error // io.EOF or ErrHalfClosed instead of a message
}

var (
	errReset  = errors.New("wire: reset by peer")
	errClosed = errors.New("wire: closed here")
	errBroken = errors.New("wire: writing is broken")
)

func newWires(size int) (a, b *wire) {
	up, down := make(chan frame, size), make(chan frame, size)
	ca, cb := make(chan struct{}), make(chan struct{})
	a = &wire{out: up, in: down, closed: ca, peer: cb, broken: make(chan struct{}), breaks: errBroken, causes: make(chan error, 2)}
	b = &wire{out: down, in: up, closed: cb, peer: ca, broken: make(chan struct{}), breaks: errBroken, causes: make(chan error, 2)}
	a.other, b.other = b, a
	return a, b
}

func (w *wire) write(f frame) error {
	select {
	case <-w.broken:
		return w.breaks
	case <-w.closed:
		return errClosed
	default:
	}
	select {
	case w.out <- f:
		return nil
	case <-w.broken:
		return w.breaks
	case <-w.closed:
		return errClosed
	case <-w.peer:
		return errReset
	}
}

func (w *wire) WriteMessage(buf []byte, text bool) error {
	return w.write(frame{data: append([]byte(nil), buf...), text: text})
}

func (w *wire) WriteHalfEnd() error { return w.write(frame{mark: ErrHalfClosed}) }

func (w *wire) WriteEnd() error { return w.write(frame{mark: io.EOF}) }

func (w *wire) ReadMessage(buf []byte) ([]byte, bool, error) {
	var f frame
	select {
	case f = <-w.in:
	default:
		select {
		case f = <-w.in:
		case <-w.closed:
			return nil, false, errClosed
		case <-w.peer:
			select {
			case f = <-w.in:
			default:
				return nil, false, errReset
			}
		}
	}
	w.taken.Add(1)
	return append(buf, f.data...), f.text, f.mark
}

// Progress implements Progresser.
func (w *wire) Progress() int { return int(w.other.taken.Load()) }

func (w *wire) Close(cause error) {
	w.causes <- cause
	close(w.closed)
}
