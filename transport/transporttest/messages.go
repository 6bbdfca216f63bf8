package transporttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

func text(s string) transport.Message { return transport.Message{Data: []byte(s), Text: true} }

func bin(s string) transport.Message { return transport.Message{Data: []byte(s)} }

// sends is a check that sends a list from a to b.
func (e *env) sends(ctx context.Context, msgs ...transport.Message) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	return e.transfer(ctx, a, b, msgs)
}

// bounds sends random sizes, small ones more often.
func bounds(ctx context.Context, e *env) error {
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := make([]int, e.times(10_000, 2000))
	for i := range sizes {
		sizes[i] = 1 + rng.IntN(1<<rng.IntN(15))
	}
	return e.sends(ctx, binaries(sizes...)...)
}

// fragmentEdges sends sizes around those at which carriers cut messages up.
func fragmentEdges(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	limit := properties(a).MaxMessageSize
	var sizes []int
	for _, edge := range []int{125, 1156, 1172, 1200, 16384, 32768, 49152, 65535} {
		for n := edge - 1; n <= edge+2; n++ {
			sizes = append(sizes, min(n, limit))
		}
	}
	return e.transfer(ctx, a, b, binaries(sizes...))
}

func powersOfTwo(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	var sizes []int
	for n := 1; n < properties(a).MaxMessageSize; n *= 2 {
		sizes = append(sizes, n)
	}
	if err := e.transfer(ctx, a, b, binaries(sizes...)); err != nil {
		return err
	}
	return e.transfer(ctx, b, a, binaries(sizes...))
}

func emptyBinary(ctx context.Context, e *env) error {
	return e.sends(ctx, bin("before"), bin(""), bin(""), bin("after"), bin(""))
}

func emptyText(ctx context.Context, e *env) error {
	return e.sends(ctx, text("before"), text(""), bin("between"), text(""), text("after"), text(""))
}

// textAndBinary sends the same bytes as either kind.
func textAndBinary(ctx context.Context, e *env) error {
	var msgs []transport.Message
	for _, s := range []string{"a", "{}", "plain words", "zürich", strings.Repeat("long ", 5000)} {
		msgs = append(msgs, text(s), bin(s), bin(s), text(s))
	}
	return e.sends(ctx, msgs...)
}

// textBytes sends text that somebody might want to tidy up.
func textBytes(ctx context.Context, e *env) error {
	return e.sends(ctx,
		text("\x00"), text("a\x00b"), text("\ufeffbyte order mark"), text("line\r\nline\n\r"),
		text("\u0301combining"), text("e\u0301 and \u00e9"), text("\ufffd"), text("\U0010ffff"),
		text("\u202e\u2066"), text(" padded "), text("\uffff"), text("日本語"))
}

// binaryBytes sends every byte, and what is not UTF-8.
func binaryBytes(ctx context.Context, e *env) error {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	return e.sends(ctx,
		bin(string(all[:])), bin("\xff"), bin("\xc3"), bin("\xed\xa0\x80"), bin("\r\n"), bin("\n"),
		bin("\x00\x00\x00\x00"), bin(" padded "), bin(strings.Repeat("\xff", 4096)), bin(strings.Repeat("\x00", 4096)))
}

// neverTwice pushes without waiting, so that many messages are refused first.
func neverTwice(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	msgs, full, err := e.stall(ctx, a, 16<<10)
	if err != nil || !full {
		return err
	}
	more := same(200, 16<<10-1)
	return e.exchange(ctx, a, b, e.expect(a, append(msgs, more...)), nil, func(ctx context.Context) error {
		for _, m := range more {
			for {
				err := offer(a, m)
				if err == nil {
					break
				}
				if !errors.Is(err, transport.ErrBufferFull) {
					return err
				}
				pause(ctx, 100*time.Microsecond)
			}
		}
		return ctx.Err()
	})
}

func textInvalid(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, s := range []string{"\xff", "abc\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"} {
		if err := want(fmt.Sprintf("SendText(%q)", s), a.SendText(s), transport.ErrInvalidText); err != nil {
			return err
		}
	}
	return e.stillWorks(ctx, a, b, "invalid text")
}

func sizeFloor(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	if limit := properties(a).MaxMessageSize; limit < transport.MessageSizeFloor {
		return fmt.Errorf("MaxMessageSize is %d, want at least %d", limit, transport.MessageSizeFloor)
	}
	return e.transfer(ctx, a, b, binaries(transport.MessageSizeFloor))
}

func sizeMax(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	limit := properties(a).MaxMessageSize
	msgs := binaries(limit, limit-1, limit)
	return e.transfer(ctx, a, b, append(msgs, text(strings.Repeat("t", limit))))
}

func sizeTooLarge(ctx context.Context, e *env) error {
	a, b, err := e.open(ctx)
	if err != nil {
		return err
	}
	limit := properties(a).MaxMessageSize
	big := make([]byte, limit+1)
	for _, m := range []transport.Message{{Data: big}, {Data: big, Text: true}} {
		err := offer(a, m)
		size, ok := errors.AsType[*transport.SizeError](err)
		if !ok || !errors.Is(err, transport.ErrTooLarge) {
			return fmt.Errorf("Send of %d bytes returned %v, want a *SizeError that matches ErrTooLarge", len(big), err)
		}
		if size.Size != limit+1 || size.Limit != limit {
			return fmt.Errorf("the SizeError says %d over %d, want %d over %d", size.Size, size.Limit, limit+1, limit)
		}
	}
	return e.stillWorks(ctx, a, b, "a message that is too large")
}

func order(ctx context.Context, e *env) error {
	return e.sends(ctx, same(e.times(20_000, 4000), 8)...)
}
