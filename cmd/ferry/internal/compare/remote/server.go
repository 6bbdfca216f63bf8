package remote

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// patience is what a client may take for its request, and how long an echo may
// be silent.
const patience = 10 * time.Second

// reportPeriod is how often a server tells what has arrived.
const reportPeriod = 100 * time.Millisecond

// Server answers comparisons, a few at a time. It writes nothing to disk.
type Server struct {
	token  string
	places chan struct{}
}

// maxSessions is how many channels are served at once.
const maxSessions = 8

// NewServer returns a server that wants a token; "" wants none.
func NewServer(token string) *Server {
	return &Server{token: token, places: make(chan struct{}, maxSessions)}
}

// Handle serves one channel until it ends, and closes it. Any number of
// goroutines may call it; channels beyond a few are closed at once.
func (s *Server) Handle(ctx context.Context, ch transport.Channel) error {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		return errors.Join(errors.New("compare: too many comparisons at once"), transport.Abort(ch))
	}
	ctx, cancel := context.WithTimeout(ctx, MaxDuration+2*patience)
	defer cancel()
	err := s.serve(ctx, ch)
	if err != nil {
		return errors.Join(err, transport.Abort(ch))
	}
	return ch.Close()
}

func (s *Server) serve(ctx context.Context, ch transport.Channel) error {
	nonce := newNonce()
	if err := sendJSON(ch, challenge{nonce}); err != nil {
		return err
	}
	var r request
	asking, cancel := context.WithTimeout(ctx, patience)
	err := receiveJSON(asking, ch, &r)
	cancel()
	if err != nil {
		return err
	}
	limit := time.Duration(r.Milliseconds) * time.Millisecond
	switch {
	case !hmac.Equal([]byte(r.Proof), []byte(proof(s.token, nonce))):
		return errors.New("compare: wrong token")
	case r.Bytes < 0 || r.Bytes > MaxBytes || r.Milliseconds < 0 || limit > MaxDuration,
		r.Do == talk && (r.Bytes < MinAnswer || r.Bytes > MaxChunk),
		r.ChunkSize < 0 || r.ChunkSize > MaxChunk, r.HighWater < 0 || r.HighWater > 64<<20:
		return errors.New("compare: a request beyond the limits")
	}
	if limit == 0 {
		limit = MaxDuration
	}
	switch r.Do {
	case echo:
		return s.echo(ctx, ch)
	case talk:
		return s.talk(ctx, ch, int(r.Bytes))
	case take:
		return s.take(ctx, ch, limit)
	case give:
		up, err := chunker.NewUploader(ch, io.LimitReader(Content(), r.Bytes), r.Bytes, &chunker.UploaderOptions{ChunkSize: r.ChunkSize, HighWater: r.HighWater})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, limit+patience)
		defer cancel()
		return up.Upload(ctx)
	default:
		return errProtocol
	}
}

// talk answers messages until the client ends the channel.
func (s *Server) talk(ctx context.Context, ch transport.Channel, size int) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, patience)
		m, err := ch.Receive(waiting)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Text:
			return errProtocol
		}
		if err := ch.Send(answer(m.Data, size)); err != nil {
			return err
		}
	}
}

func (s *Server) echo(ctx context.Context, ch transport.Channel) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, patience)
		m, err := ch.Receive(waiting)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Text:
			err = ch.SendText(string(m.Data))
		default:
			err = ch.Send(m.Data)
		}
		if err != nil {
			return err
		}
	}
}

// take receives a file for as long as limit and says what has arrived.
func (s *Server) take(ctx context.Context, ch transport.Channel, limit time.Duration) error {
	t := &taken{begin: time.Now(), hash: blake3.New(32, nil)}
	receiving, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var reporting sync.WaitGroup
	ended := make(chan struct{})
	reporting.Go(func() {
		tick := time.NewTicker(reportPeriod)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				if sendJSON(ch, Report{Bytes: t.report().Bytes}) != nil {
					return // the end of the channel is the receiver's to notice
				}
			}
		}
	})
	_, err := chunker.ReceiveFile(receiving, ch, t, nil)
	close(ended)
	reporting.Wait()
	last := t.report()
	last.Done = true
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
		last.Seconds = time.Since(t.begin).Seconds()
	}
	if err != nil {
		last.Error = err.Error()
	}
	if err := sendJSON(ch, last); err != nil {
		return err
	}
	// The client has the report when it ends the channel; what it still sends
	// is dropped.
	for {
		leaving, cancel := context.WithTimeout(ctx, patience)
		_, err := ch.Receive(leaving)
		cancel()
		if err != nil {
			return err
		}
	}
}

// taken hashes what arrives, in order.
type taken struct {
	begin time.Time

	mu    sync.Mutex
	hash  hash.Hash
	bytes int64
	last  time.Time
}

var errOrder = errors.New("compare: chunks out of order, one is missing")

// WriteAt implements io.WriterAt.
func (t *taken) WriteAt(p []byte, off int64) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if off != t.bytes {
		return 0, errOrder
	}
	t.hash.Write(p)
	t.bytes += int64(len(p))
	t.last = time.Now()
	return len(p), nil
}

func (t *taken) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Report{Bytes: t.bytes, BLAKE3: hex.EncodeToString(t.hash.Sum(nil))}
	if !t.last.IsZero() {
		r.Seconds = t.last.Sub(t.begin).Seconds()
	}
	return r
}
