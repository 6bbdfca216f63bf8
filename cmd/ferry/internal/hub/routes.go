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

// Dial opens a channel with a label by one of a.TransportNames.
func (a Address) Dial(ctx context.Context, name, label string) (transport.Channel, error) {
	for _, d := range a.diallers() {
		if d.name == name {
			return d.dial(ctx, a, label)
		}
	}
	return nil, fmt.Errorf("the URL has no transport %q", name)
}

// TransportNames are the names that Dial knows for this address.
func (a Address) TransportNames() []string {
	var names []string
	for _, d := range a.diallers() {
		names = append(names, d.name)
	}
	return names
}

// dialler opens a channel of one transport to a hub.
type dialler struct {
	name string
	dial func(ctx context.Context, a Address, label string) (transport.Channel, error)
}

// diallers are the transports in order of preference: QUIC survives a change
// of address, WebSocket passes where only the web does, WebRTC is what browsers
// and devices behind gateways have.
func (a Address) diallers() []dialler {
	web := dialler{"wss", dialWebSocket}
	if a.Plain {
		web.name = "ws"
	}
	return []dialler{{"quic", dialQUIC}, web, {"webrtc", dialWebRTC}}
}

func dialQUIC(ctx context.Context, a Address, label string) (transport.Channel, error) {
	return quicchan.Dial(ctx, a.url("quic", ""), &quicchan.Options{Label: label, Pin: a.Pin})
}

func dialWebSocket(ctx context.Context, a Address, label string) (transport.Channel, error) {
	if a.Plain {
		return wschan.Dial(ctx, a.url("ws", pathWebSocket), &wschan.Options{Label: label})
	}
	return wschan.Dial(ctx, a.url("wss", pathWebSocket), &wschan.Options{Label: label, Pin: a.Pin})
}

func dialWebRTC(ctx context.Context, a Address, label string) (transport.Channel, error) {
	if a.Plain {
		return dcchan.Dial(ctx, a.url("webrtc+http", pathWebRTC), &dcchan.Options{Label: label})
	}
	return dcchan.Dial(ctx, a.url("webrtc+https", pathWebRTC), &dcchan.Options{Label: label, Pin: a.Pin})
}

func (a Address) url(scheme, path string) string {
	return (&url.URL{Scheme: scheme, Host: a.Host, Path: path}).String()
}

// TransportNames are the names that [Address.Routes] knows.
func TransportNames() []string { return []string{"quic", "ws", "wss", "webrtc"} }

// Routes returns the ways to the hub by the transports named, in that order;
// no name means all of them. "ws" is WebSocket as the address has it, so it is
// encrypted unless the address is plain; "wss" insists on encryption.
func (a Address) Routes(names ...string) ([]pipeline.Route, error) {
	all := a.diallers()
	if len(names) == 0 {
		for _, d := range all {
			names = append(names, d.name)
		}
	}
	var routes []pipeline.Route
	for _, name := range names {
		i := slices.IndexFunc(all, func(d dialler) bool { return d.name == name || d.name == "wss" && name == "ws" })
		switch {
		case i >= 0:
			routes = append(routes, pipeline.Route{Name: all[i].name, Open: func(ctx context.Context) (transport.Channel, error) {
				return all[i].dial(ctx, a, Label)
			}})
		case name == "wss":
			return nil, fmt.Errorf("the URL begins with http://, so there is no wss: choose ws, quic or webrtc")
		default:
			return nil, fmt.Errorf("unknown transport %q: choose from %s", name, strings.Join(TransportNames(), ", "))
		}
	}
	return routes, nil
}
