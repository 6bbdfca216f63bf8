package wschan

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
)

func listen(t *testing.T, o *Options) *Listener {
	t.Helper()
	l, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial connects and aborts at the end of the test.
func dial(t *testing.T, url string, o *Options) *Channel {
	t.Helper()
	ch, err := Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ch.Abort() })
	return ch
}

func accept(t *testing.T, l *Listener) *Channel {
	t.Helper()
	ch, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ch.Abort() })
	return ch
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	e, ok := errors.AsType[*HandshakeError](err)
	if !ok || e.Status != status {
		t.Errorf("dial: %v, want status %d", err, status)
	}
}

func TestForeignOrigins(t *testing.T) {
	l := listen(t, &Options{OriginPatterns: []string{"*.friend.example", "https://only.tls.example"}})
	host := strings.TrimSuffix(strings.TrimPrefix(l.URL(), "ws://"), "/")
	for origin, ok := range map[string]bool{
		"":                              true,
		"http://" + host:                true,
		"https://www.friend.example":    true,
		"https://only.tls.example":      true,
		"http://only.tls.example":       false,
		"https://evil.example":          false,
		"https://friend.example.evil":   false,
		"http://localhost":              false,
		"null":                          false,
		"https://" + host + ".evil.net": false,
	} {
		t.Run(origin, func(t *testing.T) {
			header := http.Header{}
			if origin != "" {
				header.Set("Origin", origin)
			}
			ch, err := Dial(t.Context(), l.URL(), &Options{Header: header})
			if !ok {
				wantStatus(t, err, http.StatusForbidden)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ch.Abort()
			accept(t, l)
		})
	}
}

func TestLabels(t *testing.T) {
	l := listen(t, nil)
	for _, tt := range []struct{ url, label, want string }{
		{"", "", ""},
		{"", "video_upload", "video_upload"},
		{"?label=from+the+URL", "", "from the URL"},
		{"?label=lost&token=a%26b", "wins", "wins"},
		{"some/path?x=1", "Größe & «label=?»", "Größe & «label=?»"},
		{"", strings.Repeat("€", MaxLabel/3), strings.Repeat("€", MaxLabel/3)},
	} {
		a := dial(t, l.URL()+tt.url, &Options{Label: tt.label})
		b := accept(t, l)
		for _, ch := range []*Channel{a, b} {
			if p, _ := transport.PropertiesOf(ch); p.Label != tt.want {
				t.Errorf("%q %q: label %q, want %q", tt.url, tt.label, p.Label, tt.want)
			}
		}
	}
	for name, label := range map[string]string{"long": strings.Repeat("a", MaxLabel+1), "not UTF-8": "\xff"} {
		if _, err := Dial(t.Context(), l.URL(), &Options{Label: label}); !errors.Is(err, ErrLabel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A client that does not know better.
	resp, err := upgradeRequest(t, "http"+strings.TrimPrefix(l.URL(), "ws")+"?label="+strings.Repeat("a", MaxLabel+1))
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("label too long: %v, %v", resp, err)
	}
}

// upgradeRequest asks for an upgrade as a browser's WebSocket does.
func upgradeRequest(t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(k, v)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestCertificates(t *testing.T) {
	l := listen(t, &Options{Secure: true})
	if !strings.HasPrefix(l.URL(), "wss://127.0.0.1:") || len(l.Pin()) != 64 {
		t.Errorf("URL %s, pin %s", l.URL(), l.Pin())
	}
	dial(t, l.URL(), &Options{Pin: l.Pin()})
	accept(t, l)
	if _, err := Dial(t.Context(), l.URL(), &Options{Pin: strings.Repeat("0", 64)}); !errors.Is(err, pinned.ErrPin) {
		t.Errorf("another pin: %v", err)
	}
	if _, err := Dial(t.Context(), l.URL(), &Options{Pin: "zz"}); !errors.Is(err, pinned.ErrBadPin) {
		t.Errorf("malformed pin: %v", err)
	}
	if _, err := Dial(t.Context(), l.URL(), nil); err == nil {
		t.Error("the system's roots accepted a self-signed certificate")
	}
	if plain := listen(t, nil); plain.Pin() != "" || !strings.HasPrefix(plain.URL(), "ws://") {
		t.Errorf("URL %s, pin %q", plain.URL(), plain.Pin())
	}

	cert, err := pinned.New("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	own := listen(t, &Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if own.Pin() != pinned.Pin(cert) {
		t.Errorf("pin %s", own.Pin())
	}
	dial(t, own.URL(), &Options{TLS: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}})
	accept(t, own)
}

func TestPendingConnectionsAreBounded(t *testing.T) {
	const pending = 3
	l := listen(t, &Options{MaxPending: pending})
	for range pending {
		dial(t, l.URL(), nil)
	}
	_, err := Dial(t.Context(), l.URL(), nil)
	wantStatus(t, err, http.StatusServiceUnavailable)
	accept(t, l)
	dial(t, l.URL(), nil)
	for range pending {
		accept(t, l)
	}
}

// Strangers that open a connection and say nothing hold up others for the
// handshake's time at most, and are few.
func TestSlowStrangers(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, &Options{MaxPending: 4, HandshakeTimeout: 500 * time.Millisecond, Secure: secure})
			slow := func(n int) {
				for range n {
					conn, err := net.Dial("tcp", strings.Trim(strings.TrimLeft(l.URL(), "ws:"), "/"))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { conn.Close() })
					conn.Write([]byte("G"))
				}
			}
			slow(3)
			start := time.Now()
			dial(t, l.URL(), &Options{Pin: l.Pin()})
			accept(t, l)
			if took := time.Since(start); took > 400*time.Millisecond {
				t.Errorf("a few slow strangers held up another for %v", took)
			}
			slow(20)
			dial(t, l.URL(), &Options{Pin: l.Pin(), HandshakeTimeout: 20 * time.Second})
			accept(t, l)
		})
	}
}

func TestListenerClose(t *testing.T) {
	l := listen(t, nil)
	a := dial(t, l.URL(), nil)
	b := accept(t, l)
	left := dial(t, l.URL(), nil)
	waiting := make(chan error, 1)
	other, err := NewHandler(nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, err := other.Accept(t.Context()); waiting <- err }()
	for range 2 {
		if err := errors.Join(l.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	}
	if err := <-waiting; !errors.Is(err, ErrListenerClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a waiting Accept: %v", err)
	}
	if _, err := l.Accept(t.Context()); !errors.Is(err, ErrListenerClosed) {
		t.Errorf("accept: %v", err)
	}
	wantEnd(t, left, transport.ErrAborted)
	if _, err := Dial(t.Context(), l.URL(), nil); err == nil {
		t.Error("dialled a closed listener")
	}
	fill(t, a, 1, 10) // what was accepted lives on
	receive(t, b)
}

func TestAcceptContext(t *testing.T) {
	l := listen(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The application's own server, with middleware and TLS.
func TestHandlerOfAnApplication(t *testing.T) {
	l, err := NewHandler(&Options{Label: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mux := http.NewServeMux()
	mux.Handle("/upload/", http.StripPrefix("/upload", l))
	mux.HandleFunc("/wrapped/", func(w http.ResponseWriter, r *http.Request) {
		l.ServeHTTP(struct{ http.ResponseWriter }{w}, r) // hides the Hijacker
	})
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	url := "wss" + strings.TrimPrefix(server.URL, "https")

	a := dial(t, url+"/upload/here", &Options{Client: server.Client()})
	b := accept(t, l)
	fill(t, a, 20, 1<<19)
	for range 20 {
		receive(t, b)
	}
	for _, ch := range []*Channel{a, b} {
		if p, _ := transport.PropertiesOf(ch); (p.DeadPeer == 0) != (runtime.GOOS != "linux") {
			t.Errorf("DeadPeer %v", p.DeadPeer)
		}
	}
	_, err = Dial(t.Context(), url+"/elsewhere", &Options{Client: server.Client()})
	wantStatus(t, err, http.StatusNotFound)
	if resp, err := server.Client().Get(server.URL + "/upload/"); err != nil || resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a request that is no upgrade: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	_, err = Dial(t.Context(), url+"/wrapped/", &Options{Client: server.Client()})
	wantStatus(t, err, http.StatusNotImplemented)
	l.Close()
	_, err = Dial(t.Context(), url+"/upload/", &Options{Client: server.Client()})
	wantStatus(t, err, http.StatusServiceUnavailable)
	server.Client().CloseIdleConnections()
}

func TestDialMistakes(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:80", "http://127.0.0.1/", "ws:///path", "ws://127.0.0.1:1/", ":"} {
		if ch, err := Dial(t.Context(), url, nil); err == nil {
			ch.Abort()
			t.Errorf("dialled %q", url)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	start := time.Now()
	_, err = Dial(t.Context(), "ws://"+silent.Addr().String(), &Options{HandshakeTimeout: 200 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
