package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// plain hides every ability of a channel but the three methods.
type plain struct{ transport.MessageChannel }

func TestStateString(t *testing.T) {
	for s, want := range map[transport.State]string{
		transport.StateConnecting: "connecting",
		transport.StateOpen:       "open",
		transport.StateClosing:    "closing",
		transport.StateClosed:     "closed",
		-1:                        "invalid state",
		4:                         "invalid state",
	} {
		if got := s.String(); got != want {
			t.Errorf("State(%d) is %q, want %q", int(s), got, want)
		}
	}
}

func TestReleaseString(t *testing.T) {
	for r, want := range map[transport.Release]string{
		transport.ReleaseUnknown:      "unknown",
		transport.ReleaseKernel:       "until handed to the kernel",
		transport.ReleasePacketized:   "until packed into packets",
		transport.ReleaseAcknowledged: "until acknowledged",
		transport.ReleaseReceived:     "until received",
		99:                            "invalid release",
	} {
		if got := r.String(); got != want {
			t.Errorf("Release(%d) is %q, want %q", int(r), got, want)
		}
	}
}

func TestErrorIdentities(t *testing.T) {
	cause := errors.New("cable pulled")
	for _, tt := range []struct {
		name string
		err  error
		is   []error
		not  []error
	}{
		{"closed", transport.ErrClosed, []error{net.ErrClosed}, []error{io.EOF, transport.ErrAborted}},
		{"aborted", transport.ErrAborted, []error{io.ErrUnexpectedEOF}, []error{io.EOF, transport.ErrClosed}},
		{"peer gone", transport.ErrPeerGone, []error{os.ErrDeadlineExceeded}, []error{context.DeadlineExceeded}},
		{"unsupported", transport.ErrUnsupported, []error{errors.ErrUnsupported}, nil},
		{"size", &transport.SizeError{Size: 2, Limit: 1}, []error{transport.ErrTooLarge}, []error{transport.ErrBufferFull}},
		{"Closed", transport.Closed(cause), []error{transport.ErrClosed, net.ErrClosed, cause}, nil},
		{"Closed of nothing", transport.Closed(nil), []error{transport.ErrClosed}, nil},
		{"Aborted", transport.Aborted(cause), []error{transport.ErrAborted, cause}, []error{transport.ErrClosed}},
		{"Aborted of nothing", transport.Aborted(nil), []error{transport.ErrAborted}, nil},
		{"Aborted of gone", transport.Aborted(transport.ErrPeerGone), []error{transport.ErrAborted, transport.ErrPeerGone}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, want := range tt.is {
				if !errors.Is(tt.err, want) {
					t.Errorf("%q does not match %q", tt.err, want)
				}
			}
			for _, other := range tt.not {
				if errors.Is(tt.err, other) {
					t.Errorf("%q matches %q", tt.err, other)
				}
			}
		})
	}
	if got, want := transport.Aborted(transport.ErrAborted).Error(), transport.ErrAborted.Error(); got != want {
		t.Errorf("Aborted(ErrAborted) reads %q, want %q", got, want)
	}
}

// A link of 1000 bytes per second: 100 bytes leave the buffer every 100 ms.
func slowLink(t *testing.T) (a, b *memchan.Channel) {
	a, b = memchan.New(&memchan.Options{Rate: 1000})
	for range 5 {
		if err := a.Send(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

func TestDrainPollsAPlainChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := slowLink(t)
		start := time.Now()
		if err := transport.Drain(t.Context(), plain{a}, 500); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("Drain to a level already reached took %v", got)
		}
		// Looks at 0, 0.5, 1.5, 3.5, 7.5, 15.5 ms, then every 10 ms.
		if err := transport.Drain(t.Context(), plain{a}, 250); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), 305500*time.Microsecond; got != want {
			t.Errorf("Drain returned after %v, want %v", got, want)
		}
	})
}

func TestDrainOfAPlainChannelEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := slowLink(t)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 33*time.Millisecond)
		defer cancel()
		if err := transport.Drain(ctx, plain{a}, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain = %v, want context.DeadlineExceeded", err)
		}
		if got := time.Since(start); got != 33*time.Millisecond {
			t.Errorf("Drain ended after %v, want 33ms", got)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			time.Sleep(20 * time.Millisecond)
			if err := a.Abort(); err != nil {
				t.Error(err)
			}
		})
		if err := transport.Drain(t.Context(), plain{a}, 0); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("Drain = %v, want ErrClosed", err)
		}
		if got, want := time.Since(start), 58500*time.Microsecond; got != want {
			t.Errorf("Drain ended after %v, want %v", got, want)
		}
	})
}

// connecting is a channel that never opens.
type connecting struct{ plain }

func (connecting) ReadyState() transport.State { return transport.StateConnecting }

func TestDrainOfAConnectingChannel(t *testing.T) {
	a, _ := memchan.New(nil)
	if err := transport.Drain(t.Context(), connecting{plain{a}}, 0); !errors.Is(err, transport.ErrNotOpen) {
		t.Errorf("Drain = %v, want ErrNotOpen", err)
	}
}

func TestDrainUsesTheChannelsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := slowLink(t)
		start := time.Now()
		if err := transport.Drain(t.Context(), a, 250); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), 300*time.Millisecond; got != want {
			t.Errorf("Drain returned after %v, want %v", got, want)
		}
	})
}

func TestPropertiesOf(t *testing.T) {
	a, _ := memchan.New(&memchan.Options{Label: "camera"})
	if p, ok := transport.PropertiesOf(a); !ok || p != a.Properties() || p.Label != "camera" {
		t.Errorf("PropertiesOf(able) = %+v, %v", p, ok)
	}
	p, ok := transport.PropertiesOf(plain{a})
	if want := (transport.Properties{MaxMessageSize: 65535}); ok || p != want {
		t.Errorf("PropertiesOf(plain) = %+v, %v, want %+v, false", p, ok, want)
	}
}

// undeclared has the method CloseWrite, but does not declare the ability.
type undeclared struct{ *memchan.Channel }

func (u undeclared) Properties() transport.Properties {
	p := u.Channel.Properties()
	p.HalfClose = false
	return p
}

func TestCloseWrite(t *testing.T) {
	a, b := memchan.New(nil)
	for name, ch := range map[string]transport.MessageChannel{"plain": plain{a}, "undeclared": undeclared{a}} {
		if err := transport.CloseWrite(ch); !errors.Is(err, transport.ErrUnsupported) {
			t.Errorf("CloseWrite(%s) = %v, want ErrUnsupported", name, err)
		}
	}
	if err := a.Send(nil); err != nil {
		t.Errorf("Send after a refused CloseWrite = %v", err)
	}
	if _, err := b.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := transport.CloseWrite(a); err != nil {
		t.Errorf("CloseWrite(able) = %v", err)
	}
	if _, err := b.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Receive = %v, want io.EOF", err)
	}
}

func TestAbort(t *testing.T) {
	a, b := memchan.New(nil)
	if err := transport.Abort(plain{a}); !errors.Is(err, transport.ErrUnsupported) {
		t.Errorf("Abort(plain) = %v, want ErrUnsupported", err)
	}
	if s := a.ReadyState(); s != transport.StateOpen {
		t.Errorf("after a refused Abort the state is %v", s)
	}
	if err := transport.Abort(a); err != nil {
		t.Errorf("Abort(able) = %v", err)
	}
	if _, err := b.Receive(t.Context()); !errors.Is(err, transport.ErrAborted) {
		t.Errorf("Receive = %v, want ErrAborted", err)
	}
}

// Drain lets a sender keep at most 64 KiB buffered.
func ExampleDrain() {
	ctx := context.Background()
	a, b := memchan.New(nil)
	go func() {
		defer a.Close()
		for range 100 {
			if err := transport.Drain(ctx, a, 64<<10); err != nil {
				return
			}
			if err := a.Send(make([]byte, 16<<10)); err != nil {
				return
			}
		}
	}()
	total := 0
	for {
		m, err := b.Receive(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		total += len(m.Data)
	}
	fmt.Println(total)
	// Output: 1638400
}
