package wschan

import (
	"context"

	"github.com/chunkferry/chunkferry/transport"
)

// Pair returns the two ends of a ws connection over loopback: a has dialled, b
// has accepted. Closing both releases everything.
func Pair(ctx context.Context) (a, b transport.Channel, err error) {
	return open(ctx, nil)
}

// SecurePair is Pair over wss, with a certificate made on the spot and pinned.
func SecurePair(ctx context.Context) (a, b transport.Channel, err error) {
	return open(ctx, &Options{Secure: true})
}

// ManyPair returns the ends of n connections, since a WebSocket connection is
// one channel: as[i] is connected to bs[i].
func ManyPair(ctx context.Context, n int) (as, bs []transport.Channel, err error) {
	for range n {
		a, b, err := open(ctx, nil)
		if err != nil {
			for i := range as {
				transport.Abort(as[i])
				transport.Abort(bs[i])
			}
			return nil, nil, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	return as, bs, nil
}

func open(ctx context.Context, o *Options) (a, b transport.Channel, err error) {
	dialled, accepted, err := connect(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return dialled, accepted, nil
}

// connect listens for one connection with o and dials it.
func connect(ctx context.Context, o *Options) (dialled, accepted *Channel, err error) {
	l, err := Listen("127.0.0.1:0", o)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	opts := l.opts
	opts.Pin = l.Pin()
	if dialled, err = Dial(ctx, l.URL(), &opts); err != nil {
		return nil, nil, err
	}
	if accepted, err = l.Accept(ctx); err != nil {
		dialled.Abort()
		return nil, nil, err
	}
	return dialled, accepted, nil
}
