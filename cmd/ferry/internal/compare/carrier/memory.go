package carrier

import (
	"context"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// Memory is the yardstick: the same chunker without a network.
func Memory() Carrier { return Pairs("memory", result.Yardstick, memchan.Pair) }

// Pairs is a carrier of channels that connect without a host: a is the near
// end.
func Pairs(name string, role result.Role, pair func(context.Context) (a, b transport.Channel, err error)) Carrier {
	return Carrier{
		Name: name, Role: role, Congestion: fixed("none"),
		Setup: func(_ Hosts, o Options) (Place, error) { return &pairs{pair, o}, nil },
	}
}

type pairs struct {
	pair func(context.Context) (a, b transport.Channel, err error)
	opts Options
}

func (p *pairs) Connect(ctx context.Context, resume bool) (*Session, error) {
	if resume {
		return nil, ErrNoResumption
	}
	s := new(Session)
	for range p.opts.Streams {
		a, b, err := p.pair(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.add(p.opts, a, b)
	}
	return s, nil
}

func (p *pairs) Close() error { return nil }

// add adds the ends of two channels that are connected.
func (s *Session) add(o Options, near, far transport.Channel) {
	s.Properties, _ = transport.PropertiesOf(near)
	s.HighWater = HighWater(near, o)
	a, b := channelEnds(o, near, far)
	s.Near, s.Far = append(s.Near, a), append(s.Far, b)
	s.close = append(s.close, func() { transport.Abort(near) }, func() { transport.Abort(far) })
}
