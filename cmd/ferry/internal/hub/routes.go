package hub

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
	"github.com/chunkferry/chunkferry/transports/quicchan"
	"github.com/chunkferry/chunkferry/transports/wschan"
)

// Where a hub serves what, over HTTPS.
const (
	pathWebSocket = "/ws"
	pathWebRTC    = "/webrtc"
)

// Label is the name of every channel that a route opens.
const Label = pipeline.Protocol

// dialler opens a channel of one transport to a hub.
type dialler struct {
	name string
	dial func(ctx context.Context, a Address) (transport.Channel, error)
}

// diallers are the transports in order of preference: QUIC survives a change
// of address, WebSocket passes where only HTTPS does, WebRTC is what browsers
// and devices behind gateways have.
var diallers = []dialler{
	{"quic", func(ctx context.Context, a Address) (transport.Channel, error) {
		return quicchan.Dial(ctx, a.url("quic", ""), &quicchan.Options{Label: Label, Pin: a.Pin})
	}},
	{"wss", func(ctx context.Context, a Address) (transport.Channel, error) {
		return wschan.Dial(ctx, a.url("wss", pathWebSocket), &wschan.Options{Label: Label, Pin: a.Pin})
	}},
	{"webrtc", func(ctx context.Context, a Address) (transport.Channel, error) {
		return dcchan.Dial(ctx, a.url("webrtc+https", pathWebRTC), &dcchan.Options{Label: Label, Pin: a.Pin})
	}},
}

func (a Address) url(scheme, path string) string {
	return (&url.URL{Scheme: scheme, Host: a.Host, Path: path}).String()
}

// TransportNames are the transports that lead to a hub, in order of preference.
func TransportNames() []string {
	var names []string
	for _, d := range diallers {
		names = append(names, d.name)
	}
	return names
}

// Routes returns the ways to the hub by the transports named, in that order;
// no name means all of them.
func (a Address) Routes(names ...string) ([]pipeline.Route, error) {
	if len(names) == 0 {
		names = TransportNames()
	}
	var routes []pipeline.Route
	for _, name := range names {
		i := slices.IndexFunc(diallers, func(d dialler) bool { return d.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown transport %q: choose from %s", name, strings.Join(TransportNames(), ", "))
		}
		routes = append(routes, pipeline.Route{Name: name, Open: func(ctx context.Context) (transport.Channel, error) {
			return diallers[i].dial(ctx, a)
		}})
	}
	return routes, nil
}
