package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/transport"
)

// Route is one way to reach the receiver.
type Route struct {
	// Name is what reports call it: "quic", "wss". Each route has its own.
	Name string

	// Open opens a new channel; ctx bounds the opening alone. Send closes the
	// channel. A route that can open only one channel, because the
	// application has it already, answers an error from then on. Open may be
	// called by several goroutines at once.
	Open func(ctx context.Context) (transport.Channel, error)
}

// Over returns the route that consists of one channel the application already
// has.
func Over(ch transport.Channel) Route {
	once := make(chan transport.Channel, 1)
	once <- ch
	return Route{Name: "channel", Open: func(context.Context) (transport.Channel, error) {
		select {
		case ch := <-once:
			return ch, nil
		default:
			return nil, ErrSpent
		}
	}}
}

// SendOptions tune [Send]. A nil pointer and zero fields mean the defaults.
type SendOptions struct {
	// Token is the receiver's access token. It is proved, not sent.
	Token string

	// Key is a secret of this sender, at least 16 bytes, kept for as long as
	// transfers should be continued by a new process. It makes transfer IDs
	// that nobody can guess. Without it the ID follows from the source's
	// identity alone.
	Key []byte

	// Restart makes the receiver forget what it keeps of an unfinished
	// transfer of the same source.
	Restart bool

	// Streams is how many channels carry blocks at once. Default 1.
	Streams int

	// Bond spreads the channels over all routes. By default all of them use
	// the route that won the race.
	Bond bool

	// BlockSize is the unit of verifying, acknowledging and resuming: a power
	// of two from 64 KiB to 16 MiB. An unfinished transfer continues only with
	// the same size. Default 1 MiB.
	BlockSize int

	// ChunkSize is the largest payload of a message, in bytes, at least 1 KiB.
	// A slow path gets smaller ones, down to 16 KiB. Default 128 KiB less the
	// header, or what the channel takes if that is less.
	ChunkSize int

	// MaxBuffered bounds the content held in memory, in bytes: what is read
	// ahead and what is not acknowledged yet. At least 4 blocks. Default
	// 32 MiB.
	MaxBuffered int

	// Rate limits the payload, in bytes per second over all channels; at
	// least 16 KiB. Default unlimited.
	Rate int64

	// Stagger is how long one route has before the next is tried as well.
	// Default 250 ms, the connection attempt delay of RFC 8305, section 5.
	Stagger time.Duration

	// OpenTimeout bounds the opening of a channel up to the receiver's first
	// word. Default 15 s.
	OpenTimeout time.Duration

	// StallTimeout is how long a receiver, which speaks at least every half
	// second, may be silent before its channel is given up; at least 1 s.
	// Default 2 s.
	StallTimeout time.Duration

	// RetryFor is how long to go on trying without any block being
	// acknowledged and without a channel. A [Stream], which no later Send can
	// continue, also waits so long for storage that is full or read-only.
	// Negative: every channel is opened once. Default 1 minute.
	RetryFor time.Duration

	// Progress is called about ten times a second while something changes,
	// and once at the end, never twice at a time.
	Progress func(Progress)

	// Event is called when a channel comes or goes, never twice at a time.
	Event func(Event)

	// Logger gets the same events and more. Default: none.
	Logger *slog.Logger
}

func (o *SendOptions) withDefaults() (SendOptions, error) {
	var d SendOptions
	if o != nil {
		d = *o
	}
	setDefault(&d.Streams, 1)
	setDefault(&d.BlockSize, 1<<20)
	setDefault(&d.MaxBuffered, 32<<20)
	setDefault(&d.Stagger, 250*time.Millisecond)
	setDefault(&d.OpenTimeout, 15*time.Second)
	setDefault(&d.StallTimeout, 2*time.Second)
	setDefault(&d.RetryFor, time.Minute)
	d.StallTimeout = max(d.StallTimeout, 2*heartbeat)
	d.MaxBuffered = max(d.MaxBuffered, 4*d.BlockSize)
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case d.BlockSize < minBlockSize || d.BlockSize > maxBlockSize || d.BlockSize&(d.BlockSize-1) != 0:
		return d, fmt.Errorf("%w: block size %d is not a power of two from %d to %d", ErrInvalid, d.BlockSize, minBlockSize, maxBlockSize)
	case d.Streams < 0, d.ChunkSize < 0, d.MaxBuffered < 0, d.Stagger < 0, d.OpenTimeout < 0:
		return d, fmt.Errorf("%w: negative option", ErrInvalid)
	case d.ChunkSize != 0 && d.ChunkSize < 1<<10:
		return d, fmt.Errorf("%w: chunk size %d, at least %d", ErrInvalid, d.ChunkSize, 1<<10)
	case d.Rate != 0 && d.Rate < 16<<10:
		return d, fmt.Errorf("%w: rate of %d bytes per second, at least %d", ErrInvalid, d.Rate, 16<<10)
	case len(d.Key) > 0 && len(d.Key) < 16:
		return d, fmt.Errorf("%w: key of %d bytes, at least 16", ErrInvalid, len(d.Key))
	}
	return d, nil
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Result is what a finished transfer was.
type Result struct {
	ID      string        // of the transfer
	Size    int64         // bytes of content
	Root    Hash          // of the content; of a single file what b3sum prints
	Files   int           // that the receiver committed
	Renamed []Committed   // those whose final name is not the one offered
	Sent    int64         // content bytes given to channels, repetitions included
	Elapsed time.Duration // from the call of Send
	Routes  []string      // that carried content, by name, in order of first use
}

// Send sends src to the receiver that routes lead to. It returns nil only when
// the receiver has verified the content against its hash, made it durable and
// given it its final name.
//
// Routes are raced in order of preference, each a head start of Stagger. When
// a channel dies or stalls, what it had not got acknowledged goes over the
// next one. What an earlier Send of the same source left unfinished is
// continued: only what the receiver does not hold is sent, though all is read,
// in order to prove the rest.
//
// Memory: MaxBuffered, 32 bytes per block, what the entries take, and what the
// channels buffer.
//
// When ctx is canceled the receiver is told the cause and keeps what arrived;
// if the cause is [ErrDiscard], it forgets it. Errors: a [PeerError] for what
// the receiver refused, a [CancelError] (which matches ctx's cause if this side
// canceled), [ErrUnreachable] with the last cause, [ErrSourceChanged],
// [ErrLost], [ErrCorrupt], [ErrInvalid], and what src returns. With a few
// exceptions, named at the sentinels, another Send of the same source
// continues.
func Send(ctx context.Context, routes []Route, src Source, opts *SendOptions) (*Result, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(routes) == 0 {
		return nil, fmt.Errorf("%w: no route", ErrInvalid)
	}
	list, err := src.Entries(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(list)
	if err != nil {
		return nil, err
	}
	if l.size/int64(o.BlockSize) >= maxBlocks {
		return nil, fmt.Errorf("%w: %d bytes need larger blocks", ErrInvalid, l.size)
	}
	s := newSending(ctx, &o, src, l, transferID(o.Key, src.Identity()))
	return s.run(routes)
}

// transferID derives the ID of a transfer from what identifies its source, or
// makes one up.
func transferID(key []byte, identity string) string {
	id := make([]byte, 16)
	if identity == "" {
		_, _ = rand.Read(id) // never fails
		return hex.EncodeToString(id)
	}
	secret := make([]byte, 32)
	blake3.DeriveKey(secret, "chunkferry 2026 ferry/1 transfer id", key)
	h := blake3.New(len(id), secret)
	_, _ = h.Write([]byte(identity)) // never fails
	return hex.EncodeToString(h.Sum(nil))
}
