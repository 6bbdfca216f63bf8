package carrier

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/transport"
)

// Carrier is one way to carry bytes.
type Carrier struct {
	Name string
	Role result.Role
	Of   string // a baseline's transport

	// Congestion says who controls congestion and how, given that of TCP.
	Congestion func(tcp string) string

	// Setup starts a server on one host and readies a client on the other.
	Setup func(hosts Hosts, o Options) (Place, error)
}

// Hosts are the two ends of a link. The client dials.
type Hosts struct{ Client, Server link.Host }

// Options of a setup; all fields but HighWater are required.
type Options struct {
	ChunkSize   int // payload bytes of a chunk, or of a write of a baseline
	HighWater   int // bytes that may be buffered in a channel; 0: what the chunker chooses for it
	Streams     int // flows of a session
	Certificate tls.Certificate
}

// Place is a carrier set up between two hosts. Its methods are called by one
// goroutine at a time.
type Place interface {
	// Connect opens a connection, or as many as it takes, with
	// Options.Streams flows. With resume, it brings along the TLS session of an
	// earlier one; ErrNoResumption where there is no such thing.
	Connect(ctx context.Context, resume bool) (*Session, error)

	// Close ends the server and all that is left.
	Close() error
}

// The errors of a Place.
var (
	// ErrNoResumption: the carrier cannot resume, or the server refused to.
	ErrNoResumption = errors.New("carrier: no session to resume")

	// ErrNoReuse: a connection of the carrier carries one flow only.
	ErrNoReuse = errors.New("carrier: one flow a connection")
)

// Session is an open connection, or several, with its flows.
type Session struct {
	Near, Far []End // ends with the same index belong together

	// Properties are those of a channel; ok is false for a baseline.
	Properties transport.Properties

	// HighWater is what the senders let a flow buffer, in bytes; 0: they
	// write until the carrier blocks.
	HighWater int

	Window Window

	// more opens another flow; nil: it cannot be done.
	more  func(ctx context.Context) (near, far End, err error)
	close []func()
	once  sync.Once
}

// Window is the most that all flows of a session together can have in flight
// because of buffers and windows above UDP. Those of TCP the link makes large
// enough.
type Window struct {
	Bytes   int    // 0: not known, or TCP's
	Is      string // what it is
	Setting string // how to change it; %s stands for the bytes that would do

	// Refilled: it is drained to a part and refilled, so that less than all of
	// it is in flight on average.
	Refilled bool
}

// More opens another flow on the connection. The error matches ErrNoReuse where
// that cannot be.
func (s *Session) More(ctx context.Context) (near, far End, err error) {
	if s.more == nil {
		return nil, nil, ErrNoReuse
	}
	return s.more(ctx)
}

// Close ends the session without ceremony: what is on its way is lost.
func (s *Session) Close() {
	s.once.Do(func() {
		var wg sync.WaitGroup
		for _, f := range s.close {
			wg.Go(f)
		}
		wg.Wait()
	})
}

// End is one end of a flow. Send and Receive run at the same time, each called
// by one goroutine.
type End interface {
	// Send sends size bytes of src and returns when the carrier has taken
	// them.
	Send(ctx context.Context, src io.Reader, size int64) error

	// Receive writes what the other end sends to w until size bytes are there.
	Receive(ctx context.Context, w io.WriterAt, size int64) error

	// Put sends a message.
	Put(ctx context.Context, message []byte) error

	// Get waits for a message of n bytes, which is valid until the next call.
	Get(ctx context.Context, n int) ([]byte, error)

	// Buffered is what the end has taken and the layer below has not; -1: it
	// does not say.
	Buffered() int
}

// All returns the carriers, each transport followed by its baselines.
func All() []Carrier {
	return slices.Concat(
		[]Carrier{Memory()},
		webSockets(), quicCarriers(), webRTC(),
	)
}

func fixed(text string) func(string) string { return func(string) string { return text } }

func overTCP(tcp string) string {
	if tcp == "" {
		return "TCP, as the system has it"
	}
	return "TCP " + tcp
}
