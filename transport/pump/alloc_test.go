//go:build !race

package pump

import "testing"

// loop is a Carrier that returns what is written, without allocating.
type loop struct {
	message chan []byte
	taken   chan struct{}
	closed  chan struct{}
}

func (l *loop) WriteMessage(buf []byte, _ bool) error {
	select {
	case l.message <- buf:
		<-l.taken
		return nil
	case <-l.closed:
		return errClosed
	}
}

func (l *loop) ReadMessage(buf []byte) ([]byte, bool, error) {
	select {
	case m := <-l.message:
		buf = append(buf, m...)
		l.taken <- struct{}{}
		return buf, false, nil
	case <-l.closed:
		return nil, false, errClosed
	}
}

func (l *loop) WriteEnd() error { return nil }
func (l *loop) Close(error)     { close(l.closed) }

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, size := range []int{1, 48 << 10, 1 << 20} {
		ch := New(&loop{make(chan []byte), make(chan struct{}), make(chan struct{})}, testConfig)
		msg := make([]byte, size)
		ctx := t.Context()
		once := func() {
			for range 8 {
				if err := ch.Send(msg); err != nil {
					t.Fatal(err)
				}
			}
			for range 8 {
				if _, err := ch.Receive(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 100 {
			once()
		}
		// Garbage collection empties the pools now and then.
		if perMessage := testing.AllocsPerRun(200, once) / 8; perMessage > 0.1 {
			t.Errorf("%d bytes: %.2f allocations a message", size, perMessage)
		}
		ch.Abort()
	}
}
