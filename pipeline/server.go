package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// ServerOptions tune a [Server]. A nil pointer and zero fields mean the
// defaults.
type ServerOptions struct {
	// Token is the access token that senders must prove to know. Default:
	// none, everybody may send.
	Token string

	// MaxTransfers is how many transfers may be open at once, those waiting
	// for their sender to come back included. Default 64.
	MaxTransfers int

	// MaxSize is the most content of one transfer, in bytes. Default 1 TiB.
	MaxSize int64

	// MaxFiles is the most entries of one transfer. Default 100,000.
	MaxFiles int

	// MaxChannels is how many channels may serve one transfer. Default 16.
	MaxChannels int

	// MaxHandshakes is how many channels may be open that have not asked for
	// a transfer yet. Default 128.
	MaxHandshakes int

	// Window is the most content that a channel may have on its way, from its
	// announcement until it is written, in bytes. Default 16 MiB.
	Window int64

	// MaxBuffered bounds the content held in memory, in bytes, over all
	// transfers: each new channel is granted a quarter of what is left, at
	// most Window and at least a block; when not even that is left, its
	// sender is told to come back later. Lists of files count too, until their
	// channel is over. Default 256 MiB.
	MaxBuffered int64

	// HandshakeTimeout is how long a new channel may take to ask for a
	// transfer; a long list of files may take ten times as long, as long as it
	// goes on. Default 10 s.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long a sender, which speaks at least every 5 s, may
	// be silent; at least 10 s. Default 30 s.
	IdleTimeout time.Duration

	// ResumeTimeout is how long a transfer without any channel stays open.
	// Afterwards it is suspended: kept by the sink, but no longer counted.
	// Default 30 s.
	ResumeTimeout time.Duration

	// SyncEvery is how often what was written is made durable while the
	// transfer goes on. Default 1 s.
	SyncEvery time.Duration

	// Rate limits the payload taken from one peer (see [WithPeer]), over all
	// of its channels, in bytes per second; at least 16 KiB. Default
	// unlimited.
	Rate int64

	// Notify is called when a transfer starts, ends or pauses. It must not
	// block for long; calls may overlap.
	Notify func(Notice)

	// Logger gets what happens. Default: none.
	Logger *slog.Logger
}

func (o *ServerOptions) withDefaults() ServerOptions {
	var d ServerOptions
	if o != nil {
		d = *o
	}
	setDefault(&d.MaxTransfers, 64)
	setDefault(&d.MaxSize, 1<<40)
	setDefault(&d.MaxFiles, 100_000)
	setDefault(&d.MaxChannels, 16)
	setDefault(&d.MaxHandshakes, 128)
	setDefault(&d.Window, 16<<20)
	setDefault(&d.MaxBuffered, 256<<20)
	setDefault(&d.HandshakeTimeout, 10*time.Second)
	setDefault(&d.IdleTimeout, 30*time.Second)
	setDefault(&d.ResumeTimeout, 30*time.Second)
	setDefault(&d.SyncEvery, time.Second)
	d.IdleTimeout = max(d.IdleTimeout, 2*pingEvery)
	if d.Rate > 0 {
		d.Rate = max(d.Rate, 16<<10)
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// Server receives transfers on channels from any number of listeners and
// writes them to a [Sink]. All methods may be called by any number of
// goroutines.
//
// Memory: ServerOptions.MaxBuffered for content in any case, and for each
// transfer its entries and about 40 bytes per block.
type Server struct {
	sink   Sink
	opts   ServerOptions
	ctx    context.Context // done when the server must stop at once
	cancel context.CancelCauseFunc

	bytes, blocks, badBlocks, accepted atomic.Uint64

	mu        sync.Mutex // guards the fields below
	transfers map[string]*transfer
	strangers map[*session]bool // that have not asked for a transfer
	peers     map[string]*peer
	closing   bool
	idle      chan struct{} // closed when closing and nothing is open
	counters  Counters
}

// peer is the rate limit that the channels of one peer share.
type peer struct {
	limit *limiter
	users int
}

// NewServer returns a Server that writes to sink.
func NewServer(sink Sink, opts *ServerOptions) *Server {
	s := &Server{
		sink:      sink,
		opts:      opts.withDefaults(),
		transfers: make(map[string]*transfer),
		strangers: make(map[*session]bool),
		peers:     make(map[string]*peer),
		idle:      make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

type peerKey struct{}

// WithPeer returns a context for [Server.Handle] that says whom the channel
// comes from: an address or an account. It is the unit of ServerOptions.Rate
// and appears in logs and notices. Without it each channel is a peer of its
// own.
func WithPeer(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, peerKey{}, name)
}

// Handle serves a channel that a sender has opened, until it is over, and
// closes it. It returns nil when the transfer was completed or the channel
// ended without harm to it, and otherwise why it ended: ctx.Err() or its
// cause, [ErrUnauthorized], [ErrProtocol], [ErrIdle], [ErrBusy], [ErrLimit],
// [ErrShutdown], [ErrUnfit], a [CancelError], what the sink or the channel
// returned. The sender was told, if it could be.
func (s *Server) Handle(ctx context.Context, ch transport.Channel) error {
	name, _ := ctx.Value(peerKey{}).(string)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	defer stop()

	v := &session{srv: s, peer: name, ctx: ctx, cancel: cancel, began: time.Now(), order: s.accepted.Add(1)}
	var err error
	if v.wire, err = newWire(ch, 0); err == nil {
		err = s.enter(v)
	}
	if err != nil {
		v.farewell(err)
		return err
	}
	v.limit = s.share(name)
	err = v.run()
	s.unshare(name)
	if stranger := s.leave(v, err); stranger && permanent(err) {
		s.refused(v, err)
	}
	v.farewell(err)
	v.log().Info("channel closed", "err", err)
	return err
}

// enter counts a new channel.
func (s *Server) enter(v *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return ErrShutdown
	case len(s.strangers) >= s.opts.MaxHandshakes:
		s.counters.Refused++
		return fmt.Errorf("%w: %d channels in handshake", ErrBusy, len(s.strangers))
	}
	s.counters.Channels++
	s.strangers[v] = true
	return nil
}

// leave uncounts it, and reports whether it never asked for a transfer that
// could begin.
func (s *Server) leave(v *session, err error) (stranger bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.Channels--
	stranger = s.strangers[v]
	if stranger {
		delete(s.strangers, v)
		s.counters.Refused++
	}
	if errors.Is(err, ErrUnauthorized) {
		s.counters.Unauthorized++
	}
	s.settle()
	return stranger
}

// settle lets Shutdown go on when nothing is left. s.mu is held.
func (s *Server) settle() {
	if s.closing && s.counters.Channels == 0 && len(s.transfers) == 0 {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
}

// shaken notes that a channel has asked for a transfer.
func (s *Server) shaken(v *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.strangers, v)
}

// share returns the rate limit of a peer.
func (s *Server) share(name string) *limiter {
	if s.opts.Rate <= 0 || name == "" {
		return newLimiter(s.opts.Rate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[name]
	if p == nil {
		p = &peer{limit: newLimiter(s.opts.Rate)}
		s.peers[name] = p
	}
	p.users++
	return p.limit
}

func (s *Server) unshare(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.peers[name]; p != nil {
		if p.users--; p.users == 0 {
			delete(s.peers, name)
		}
	}
}

// grant sets memory aside for a new channel.
func (s *Server) grant(blockSize int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.opts.MaxBuffered - s.counters.Buffered
	n := max(min(left/4, s.opts.Window), int64(blockSize))
	if n > left {
		return 0, fmt.Errorf("%w: no memory left for another channel", ErrBusy)
	}
	s.counters.Buffered += n
	return n, nil
}

// charge sets memory aside for a list of files.
func (s *Server) charge(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counters.Buffered+n > s.opts.MaxBuffered {
		return fmt.Errorf("%w: no memory left for the list of files", ErrBusy)
	}
	s.counters.Buffered += n
	return nil
}

func (s *Server) refund(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.Buffered -= n
}

// Shutdown refuses new transfers and channels, lets those that run finish
// until ctx is done, and then suspends them: their senders are told, the sink
// keeps what arrived. It returns nil if nothing had to be suspended and
// ctx.Err() otherwise; in either case nothing is left running.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for v := range s.strangers {
		v.cancel(ErrShutdown)
	}
	for _, t := range s.transfers {
		t.poke() // those that wait for their sender are suspended now
	}
	s.settle()
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	s.cancel(ErrShutdown)
	<-s.idle
	return ctx.Err()
}

// Cancel ends a transfer; its sender is told the reason. With discard the sink
// forgets what arrived. It reports whether the transfer was open.
func (s *Server) Cancel(id, reason string, discard bool) bool {
	s.mu.Lock()
	t := s.transfers[id]
	s.mu.Unlock()
	if t == nil {
		return false
	}
	err := error(&CancelError{Reason: reason})
	if discard {
		err = &CancelError{Reason: reason, cause: ErrDiscard}
	}
	t.stop(err)
	return true
}
