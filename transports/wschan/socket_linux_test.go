package wschan

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// stall sends until the peer, whom nobody reads, takes no more.
func stall(t *testing.T, ch transport.Channel) (accepted int) {
	t.Helper()
	const size = 64 << 10
	for last := time.Now(); time.Since(last) < 500*time.Millisecond; {
		switch err := ch.Send(make([]byte, size)); {
		case err == nil:
			accepted++
			last = time.Now()
		case errors.Is(err, transport.ErrBufferFull):
			time.Sleep(time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
	return accepted
}

// A peer that vanishes is noticed in time whatever the connection was doing.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		busy func(t *testing.T, a, b transport.Channel)
	}{
		{"idle", func(*testing.T, transport.Channel, transport.Channel) {}},
		{"sending", func(t *testing.T, a, _ transport.Channel) { fill(t, a, 8, 1<<20) }},
		{"window closed", func(t *testing.T, a, _ transport.Channel) { stall(t, a) }},
		{"window closed for long", func(t *testing.T, a, _ transport.Channel) {
			stall(t, a)
			time.Sleep(15 * time.Second) // window probes have become rare
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b, cut, err := CutPair(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer transport.Abort(a)
			defer transport.Abort(b)
			tt.busy(t, a, b)
			start := time.Now()
			cut()
			for _, ch := range []transport.Channel{a, b} {
				wantEnd(t, ch, transport.ErrAborted)
				if _, err := ch.Receive(t.Context()); !errors.Is(err, transport.ErrPeerGone) {
					t.Errorf("receive: %v", err)
				}
				p, _ := transport.PropertiesOf(ch)
				if took := time.Since(start); took > p.DeadPeer+time.Second || p.DeadPeer > 10*time.Second {
					t.Errorf("noticed after %v, declared %v", took, p.DeadPeer)
				}
			}
		})
	}
}

// With TCP_USER_TIMEOUT the kernel would kill it.
func TestPeerThatDoesNotReadLives(t *testing.T) {
	t.Parallel()
	a, b, err := Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	accepted := stall(t, a)
	time.Sleep(2 * deadPeer)
	start := time.Now()
	for i := range accepted {
		if _, err := b.Receive(t.Context()); err != nil {
			t.Fatalf("message %d of %d: %v", i, accepted, err)
		}
	}
	fill(t, a, 1, 10)
	receive(t, b)
	t.Logf("%d messages of 64 KiB in %v after the pause", accepted, time.Since(start))
	transport.Abort(a)
	transport.Abort(b)
}

// An idle connection whose peer's kernel answers is left alone.
func TestIdlePeerLives(t *testing.T) {
	t.Parallel()
	a, b, err := SecurePair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second) // beyond DeadPeer
	fill(t, a, 1, 10)
	receive(t, b)
	fill(t, b, 1, 10)
	receive(t, a)
	transport.Abort(a)
	transport.Abort(b)
}

// With nothing but kernel buffers left to empty, a foreign reader is seen by
// its window, which the answers to keep-alive probes show.
func TestCloseSeesTheWindowMove(t *testing.T) {
	t.Parallel()
	client, ch := acceptRaw(t, &Options{CloseTimeout: 4 * time.Second})
	read := func(from, to int) {
		for i := from; i < to; i++ {
			if _, m, err := client.read(); err != nil || string(m[:8]) != fmt.Sprintf("%08d", i) {
				t.Fatalf("message %d: %q, %v", i, m[:min(8, len(m))], err)
			}
			if i >= 16 {
				time.Sleep(400 * time.Millisecond) // the reader's pace
			}
		}
	}
	const n, size = 42, 64 << 10
	fill(t, ch, n, size)
	read(0, 16) // quickly: the window opens for all the others
	done := make(chan error, 1)
	go func() { done <- ch.Close() }()
	read(16, n)
	client.wantClose(codeNormal)
	client.writeClose(codeNormal)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What BufferedAmount does not count is on its way or at the peer, but for a
// small remainder: the kernel does not hide megabytes.
func TestKernelHidesLittle(t *testing.T) {
	a, b, err := Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Abort(a)
	defer transport.Abort(b)
	stall(t, a)
	info, err := tcpInfo(a.(*Channel).tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("buffered %d, unsent in the kernel %d, taken by the peer's kernel %d", a.BufferedAmount(), info.Notsent_bytes, info.Bytes_acked)
	if hidden := int(info.Notsent_bytes); hidden > unsentLimit+2*gatherSize {
		t.Errorf("the kernel holds %d bytes unsent", hidden)
	}
	p, _ := transport.PropertiesOf(b)
	if taken := int(info.Bytes_acked); taken > p.ReceiveBuffer {
		t.Errorf("the peer took %d bytes, declared %d", taken, p.ReceiveBuffer)
	}
}
