package remote

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve connects a client to a server with the token "right".
func serve(t *testing.T, wrap func(transport.Channel) transport.Channel) transport.Channel {
	t.Helper()
	near, far, err := memchan.Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		far = wrap(far)
	}
	handled := make(chan error, 1)
	go func() { handled <- NewServer("right").Handle(context.Background(), far) }()
	t.Cleanup(func() {
		transport.Abort(near)
		<-handled
	})
	return near
}

func content(n int64) []byte {
	b, err := io.ReadAll(io.LimitReader(Content(), n))
	if err != nil {
		panic(err)
	}
	return b
}

func TestUp(t *testing.T) {
	for _, size := range []int64{0, 1, 5 << 20} {
		var last int64
		r, err := Up(t.Context(), serve(t, nil), Options{Token: "right"}, bytes.NewReader(content(size)), size, func(n int64) { last = n })
		if err != nil {
			t.Fatal(err)
		}
		sum := blake3.Sum256(content(size))
		if r.Bytes != size || last != size || r.BLAKE3 != hex.EncodeToString(sum[:]) || r.Error != "" {
			t.Errorf("%d bytes: %+v", size, r)
		}
	}
}

type buffer struct{ bytes.Buffer }

func (b *buffer) WriteAt(p []byte, off int64) (int, error) {
	if off != int64(b.Len()) {
		return 0, errors.New("out of order")
	}
	return b.Write(p)
}

func TestDown(t *testing.T) {
	var got buffer
	if err := Down(t.Context(), serve(t, nil), Options{Token: "right", ChunkSize: 1000}, &got, 1<<20+1); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), content(1<<20+1)) {
		t.Errorf("%d bytes, not the content", got.Len())
	}
}

func TestRTT(t *testing.T) {
	if d, err := RTT(t.Context(), serve(t, nil), Options{Token: "right"}); err != nil || d <= 0 || d > time.Second {
		t.Errorf("%v, %v", d, err)
	}
}

// Answers of every size carry the hash of what arrived at the server.
func TestTalk(t *testing.T) {
	for _, size := range []int{MinAnswer, 64, 60000} {
		n := 0
		err := Talk(t.Context(), serve(t, nil), Options{Token: "right"}, content(1000), size, func(time.Duration) bool {
			n++
			return n < 5
		})
		if err != nil || n != 5 {
			t.Errorf("%d bytes: %d answers, %v", size, n, err)
		}
	}
	for _, size := range []int{0, MinAnswer - 1, MaxChunk + 1} {
		err := Talk(t.Context(), serve(t, nil), Options{Token: "right"}, nil, size, func(time.Duration) bool { return false })
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%d bytes: %v, want ErrRefused", size, err)
		}
	}
}

// A request that changes on its way is noticed.
func TestTalkNoticesOtherContent(t *testing.T) {
	near := serve(t, func(ch transport.Channel) transport.Channel { return &flipping{ch} })
	err := Talk(t.Context(), near, Options{Token: "right"}, content(1000), 64, func(time.Duration) bool { return false })
	if !errors.Is(err, errProtocol) {
		t.Errorf("%v, want %v", err, errProtocol)
	}
}

// flipping changes a bit of every binary message on its way in.
type flipping struct{ transport.Channel }

func (f *flipping) Receive(ctx context.Context) (transport.Message, error) {
	m, err := f.Channel.Receive(ctx)
	if err == nil && !m.Text {
		m.Data[len(m.Data)/2] ^= 1
	}
	return m, err
}

// What is not allowed ends the channel, and the client says what to do.
func TestRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"wrong token":  {Token: "wrong"},
		"too long":     {Token: "right", Limit: MaxDuration + time.Second},
		"large chunks": {Token: "right", ChunkSize: MaxChunk + 1},
	} {
		var got buffer
		if err := Down(t.Context(), serve(t, nil), o, &got, 100); err == nil {
			t.Errorf("%s: fine", name)
		}
		if _, err := RTT(t.Context(), serve(t, nil), o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
}

// dropping loses the n-th binary message on its way in.
type dropping struct {
	transport.Channel
	left int
}

func (d *dropping) Receive(ctx context.Context) (transport.Message, error) {
	for {
		m, err := d.Channel.Receive(ctx)
		if err == nil && !m.Text {
			if d.left--; d.left == 0 {
				continue
			}
		}
		return m, err
	}
}

func TestALostChunkIsReported(t *testing.T) {
	near := serve(t, func(ch transport.Channel) transport.Channel { return &dropping{ch, 3} })
	r, err := Up(t.Context(), near, Options{Token: "right"}, bytes.NewReader(content(1<<20)), 1<<20, func(int64) {})
	if err != nil || r.Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The server ends a transfer when its time is over, and says what arrived.
func TestTimeIsUp(t *testing.T) {
	r, err := Up(t.Context(), serve(t, nil), Options{Token: "right", Limit: 50 * time.Millisecond}, Content(), 32<<30, func(int64) {})
	if err != nil || r.Bytes == 0 || r.Bytes == 32<<30 || r.Seconds < 0.05 {
		t.Fatalf("%+v, %v", r, err)
	}
	sum := blake3.New(32, nil)
	if _, err := io.CopyN(sum, Content(), r.Bytes); err != nil || hex.EncodeToString(sum.Sum(nil)) != r.BLAKE3 {
		t.Errorf("%d bytes with another hash", r.Bytes)
	}
}
