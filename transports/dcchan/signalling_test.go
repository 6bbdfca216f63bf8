package dcchan_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/dcchan"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

func TestHandlerRefuses(t *testing.T) {
	l := listen(t, nil)
	tests := []struct {
		name, method, kind, body string
		want                     int
	}{
		{"get", http.MethodGet, "", "", http.StatusMethodNotAllowed},
		{"preflight", http.MethodOptions, "", "", http.StatusMethodNotAllowed},
		{"form", http.MethodPost, "text/plain", "v=0", http.StatusUnsupportedMediaType},
		{"long", http.MethodPost, "application/sdp", strings.Repeat("x", 65<<10), http.StatusRequestEntityTooLarge},
		{"empty", http.MethodPost, "application/sdp", "", http.StatusBadRequest},
		{"nonsense", http.MethodPost, "application/sdp", "v=0\r\nnonsense", http.StatusBadRequest},
		{"no session", http.MethodDelete, "", "", http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := strings.TrimPrefix(l.URL(), "webrtc+")
			request, err := http.NewRequestWithContext(t.Context(), tt.method, url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", tt.kind)
			request.Header.Set("Origin", "https://elsewhere.example")
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != tt.want {
				t.Errorf("%s, want %d", response.Status, tt.want)
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("allows the origin %q", got)
			}
		})
	}
	if _, err := dcchan.Dial(t.Context(), l.URL(), nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	secure := listen(t, &dcchan.Options{SelfSigned: true})
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	other, err := pinned.New("localhost")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, url string
		options   dcchan.Options
		want      error
	}{
		{"no server", "webrtc+http://127.0.0.1:1/", dcchan.Options{}, dcchan.ErrSignalling},
		{"no handler", "webrtc+" + none.URL, dcchan.Options{}, dcchan.ErrSignalling},
		{"not pinned", secure.URL(), dcchan.Options{}, dcchan.ErrSignalling},
		{"wrong pin", secure.URL(), dcchan.Options{Pin: pinned.Pin(other)}, pinned.ErrPin},
		{"bad pin", secure.URL(), dcchan.Options{Pin: "abc"}, pinned.ErrBadPin},
		{"label", secure.URL(), dcchan.Options{Label: strings.Repeat("x", dcchan.MaxLabel+1)}, dcchan.ErrLabel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := dcchan.Dial(t.Context(), tt.url, &tt.options); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	for _, url := range []string{"", "http://127.0.0.1/", "webrtc+ftp://x/", "webrtc+http://", "webrtc+http://%zz/"} {
		if _, err := dcchan.Dial(t.Context(), url, nil); err == nil {
			t.Errorf("dialled %q", url)
		}
	}
}

func TestPinned(t *testing.T) {
	a, b := pair(t, func(o *dcchan.Options) { o.SelfSigned = true })
	if err := a.SendText("over https"); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, b); got != "over https" {
		t.Errorf("got %q", got)
	}
}

// One UDP socket and one HTTP server of the application's, under its own path.
func TestHandlerOnExistingServer(t *testing.T) {
	s := socket(t)
	h, err := dcchan.NewHandler(&dcchan.Options{PacketConn: s})
	if err != nil {
		t.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.Handle("/ferry/", http.StripPrefix("/ferry", h))
	server := httptest.NewServer(routes)
	defer func() {
		server.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if _, err := h.Accept(t.Context()); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
	}()
	for range 3 {
		a, err := dcchan.Dial(t.Context(), "webrtc+"+server.URL+"/ferry/", nil)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := a.DataChannel().Transport().Transport().ICETransport().GetSelectedCandidatePair()
		if err != nil {
			t.Fatal(err)
		}
		if got := webrtcAddr(pair.Remote); got != s.LocalAddr().String() {
			t.Errorf("connected to %s, want %s", got, s.LocalAddr())
		}
		b, err := h.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Close(), a.Close()); err != nil {
			t.Error(err)
		}
	}
}

// A peer that offers and never comes holds a place, for a time, and nobody up.
func TestSilentPeers(t *testing.T) {
	const peers = 3
	l := listen(t, &dcchan.Options{MaxPeers: peers, ConnectTimeout: 2 * time.Second})
	url := strings.TrimPrefix(l.URL(), "webrtc+")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	post := func() (*http.Response, error) {
		p := peer(t, dcchan.Configure)
		if _, err := p.CreateDataChannel("", nil); err != nil {
			t.Fatal(err)
		}
		offer, err := p.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		return client.Post(url, "application/sdp", strings.NewReader(offer.SDP))
	}
	var session string
	for range peers - 1 {
		response, err := post()
		if err != nil || response.StatusCode != http.StatusCreated {
			t.Fatal(response, err)
		}
		response.Body.Close()
		session = response.Header.Get("Location")
	}
	a, err := dcchan.Dial(t.Context(), l.URL(), nil)
	if err != nil {
		t.Fatalf("beside silent peers: %v", err)
	}
	defer a.Close()
	if _, err := l.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := dcchan.Dial(t.Context(), l.URL(), nil); !errors.Is(err, dcchan.ErrSignalling) {
		t.Errorf("beyond MaxPeers: %v", err)
	}

	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, strings.TrimSuffix(url, "/")+session, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("DELETE: %v, %v", response, err)
	}
	response.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range peers - 1 { // one place by DELETE, the other when its time is up
		for {
			c, err := dcchan.Dial(ctx, l.URL(), nil)
			if err == nil {
				defer c.Close()
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("no place became free: %v", err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// Channels beyond the limit are refused, those within are not harmed.
func TestTooManyChannels(t *testing.T) {
	const limit = 4
	l := listen(t, &dcchan.Options{MaxChannels: limit})
	conn, err := dcchan.Connect(t.Context(), l.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var as, bs []*dcchan.Channel
	for range limit {
		a, err := conn.Open(t.Context(), "within")
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		as, bs = append(as, a), append(bs, b)
	}
	if c, err := conn.Open(t.Context(), "beyond"); err == nil {
		// It opens, because that is how pion refuses: it closes at once.
		if _, err := c.Receive(t.Context()); err == nil {
			t.Error("a message on a refused channel")
		}
		c.Close()
	}
	for i := range as {
		if err := as[i].SendText("still there"); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, bs[i]); got != "still there" {
			t.Errorf("got %q", got)
		}
	}
	if err := errors.Join(as[0].Close(), bs[0].Close()); err != nil {
		t.Error(err)
	}
	if _, err := conn.Open(t.Context(), "in its place"); err != nil {
		t.Errorf("after one has closed: %v", err)
	}
	if c, err := l.Accept(t.Context()); err != nil || c.Properties().Label != "in its place" {
		t.Errorf("Accept: %v", err)
	}
}

func webrtcAddr(c *webrtc.ICECandidate) string {
	return (&net.UDPAddr{IP: net.ParseIP(c.Address), Port: int(c.Port)}).String()
}

// The application's client carries the offer, and what it answers counts.
func TestDialWithClient(t *testing.T) {
	l := listen(t, nil)
	asked := make(chan string, 1)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked <- addr
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	c, err := dcchan.Dial(t.Context(), l.URL(), &dcchan.Options{Client: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := <-asked; !strings.Contains(l.URL(), got) {
		t.Errorf("dialled %s, not the host of %s", got, l.URL())
	}
}
