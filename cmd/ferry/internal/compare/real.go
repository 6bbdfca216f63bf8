package compare

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/remote"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/stats"
	"github.com/chunkferry/chunkferry/transport"
)

// Real is a real network with a server at its other end.
type Real struct {
	Token string

	// Dial opens a channel with the label remote.Label by a transport's name.
	Dial func(ctx context.Context, name string) (transport.Channel, error)
}

// over makes one run over a real network. Up, the server says what it has
// received; down, the content is what remote.Content says, and so must the file
// be.
func (b *bench) over(ctx context.Context, l *lane) (r run) {
	opening := time.Now()
	ch, err := l.dial(ctx)
	if err != nil {
		r.err = fmt.Errorf("open %s: %w", l.carrier.Name, err)
		return r
	}
	defer transport.Abort(ch)
	r.OpenSeconds = time.Since(opening).Seconds()
	r.props, _ = transport.PropertiesOf(ch)
	limit := l.point.runTime
	if limit == 0 || limit > remote.MaxDuration {
		limit = remote.MaxDuration
	}
	o := remote.Options{Token: l.point.line.Real.Token, Limit: limit, ChunkSize: l.point.options.ChunkSize, HighWater: l.point.options.HighWater}
	switch {
	case b.cfg.Mode == result.Messages:
		r.err = b.realMessages(ctx, l, ch, o, &r)
	case l.dir == result.Up:
		r.highWater = carrier.HighWater(ch, l.point.options)
		r.err = b.realUp(ctx, ch, o, &r)
	default:
		r.err = b.realDown(ctx, ch, o, &r)
	}
	return r
}

// realMessages asks the server, which answers, until the run's time is over. The
// large message goes l.dir.
func (b *bench) realMessages(ctx context.Context, l *lane, ch transport.Channel, o remote.Options, r *run) error {
	request, answer := message(b.cfg.MessageBytes, 1), answerBytes
	if l.dir == result.Down {
		request, answer = message(answerBytes, 2), max(b.cfg.MessageBytes, remote.MinAnswer)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limit+b.cfg.Stall, fmt.Errorf("%w: no answer", ErrStalled))
	defer cancel()
	u := network{}.measure(0, nil)
	err := remote.Talk(ctx, ch, o, request, answer, func(took time.Duration) bool {
		r.latencies = append(r.latencies, took.Seconds())
		return time.Since(u.begin) < o.Limit
	})
	end := u.freeze()
	u.finish(end, r)
	if err != nil {
		return err
	}
	r.Complete, r.Seconds = true, end.Sub(u.begin).Seconds()
	r.DeliveredBytes = int64(len(r.latencies)) * int64(b.cfg.MessageBytes)
	r.MBPerS = float64(r.DeliveredBytes) / 1e6 / r.Seconds
	r.MedianSeconds = stats.Median(r.latencies)
	return nil
}

func (l *lane) dial(ctx context.Context) (transport.Channel, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return l.point.line.Real.Dial(ctx, l.carrier.Name)
}

func (b *bench) realUp(ctx context.Context, ch transport.Channel, o remote.Options, r *run) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limit+b.cfg.Stall, fmt.Errorf("%w: no answer", ErrStalled))
	defer cancel()
	u := network{}.measure(0, nil)
	rec := newRecorder(u.begin)
	whole := section{0, b.src.size}
	before := int64(0)
	got, err := remote.Up(ctx, ch, o, b.src.reader(whole), b.src.size, func(bytes int64) {
		if bytes > before {
			rec.add(time.Now(), int(bytes-before))
			before = bytes
		}
	})
	end := u.freeze()
	u.finish(end, r)
	switch {
	case err != nil:
		return err
	case got.Error != "":
		return fmt.Errorf("%w: %s", ErrUnverified, got.Error)
	case got.Bytes < 0 || got.Bytes > b.src.size || got.Seconds < 0:
		return fmt.Errorf("%w: the server says %d bytes of %d", ErrUnverified, got.Bytes, b.src.size)
	case got.Bytes == 0 && b.src.size > 0:
		return fmt.Errorf("%w: nothing delivered", ErrStalled)
	}
	want, err := b.src.hash(section{0, got.Bytes}, got.Bytes == b.src.size)
	if err != nil {
		return err
	}
	if got.BLAKE3 != want.String() {
		return fmt.Errorf("%w: %d bytes with another BLAKE3 hash", ErrUnverified, got.Bytes)
	}
	r.DeliveredBytes, r.Complete, r.Seconds = got.Bytes, got.Bytes == b.src.size, max(got.Seconds, 1e-6)
	r.MBPerS = float64(got.Bytes) / 1e6 / r.Seconds
	b.series(rec, end, r)
	r.FirstByteSeconds = 0 // the server's reports come too seldom to tell
	return nil
}

func (b *bench) realDown(ctx context.Context, ch transport.Channel, o remote.Options, r *run) error {
	u := network{}.measure(0, nil)
	rec := newRecorder(u.begin)
	v := newVerifier(rec)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done, received := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(received)
		if err := remote.Down(ctx, ch, o, v, b.src.size); err != nil {
			cancel(err)
			return
		}
		close(done)
	}()
	err := b.await(ctx, done, rec, o.Limit, b.cfg.Stall) // the server ends at the limit, too
	delivered, last := v.stop()
	end := u.freeze()
	complete := err == nil && delivered == b.src.size
	if complete && !last.IsZero() {
		end = last
	}
	u.finish(end, r)
	cancel(errCut)
	<-received
	if err != nil && !errors.Is(err, errCut) {
		return err
	}
	r.DeliveredBytes, r.Complete, r.Seconds = delivered, complete, end.Sub(u.begin).Seconds()
	r.MBPerS = float64(delivered) / 1e6 / r.Seconds
	b.series(rec, end, r)
	return v.check(b.src, section{0, b.src.size})
}

// series fills in what the recorder knows.
func (b *bench) series(rec *recorder, end time.Time, r *run) {
	if !rec.first.IsZero() {
		r.FirstByteSeconds = rec.first.Sub(rec.begin).Seconds()
	}
	width, series := rec.series(end)
	r.BinSeconds, r.Throughput, r.growth = width.Seconds(), series, growth(series)
}

// meet measures the round trip of a real network, by the first transport that
// gets through.
func (p *point) meet(ctx context.Context, cfg Config) (time.Duration, error) {
	var errs []error
	for _, c := range cfg.Carriers {
		ch, err := p.line.Real.Dial(ctx, c.Name)
		if err == nil {
			var rtt time.Duration
			rtt, err = remote.RTT(ctx, ch, remote.Options{Token: p.line.Real.Token})
			transport.Abort(ch)
			if err == nil {
				return rtt, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", c.Name, err))
	}
	return 0, errors.Join(errs...)
}
