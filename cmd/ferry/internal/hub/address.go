package hub

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Address is everything a sender needs to reach a hub, written as a URL:
//
//	https://HOST:PORT/#token=TOKEN&pin=PIN
//
// or with http:// if the hub serves WebSocket and signalling in the clear.
// Token and pin stand in the fragment, which no HTTP client sends.
type Address struct {
	Host  string // host:port, the same port number for TCP and UDP
	Token string // the receiver's access token, "" if it wants none
	Plain bool   // no TLS over TCP; QUIC and WebRTC encrypt anyway
	Pin   string // SHA-256 of the certificate in hexadecimal, "" if a public authority vouches for it
}

// ErrAddress: the text is not the URL of a hub.
var ErrAddress = errors.New("not a ferry URL")

// ParseAddress reads a URL as [Address.String] writes it.
//
// Errors match ErrAddress and say which part is wrong.
func ParseAddress(s string) (Address, error) {
	wrong := func(format string, args ...any) (Address, error) {
		return Address{}, fmt.Errorf("%w: %s; take the one that 'ferry serve' prints, https://HOST:PORT/#token=…&pin=…",
			ErrAddress, fmt.Sprintf(format, args...))
	}
	location, fragment, _ := strings.Cut(strings.TrimSpace(s), "#")
	u, err := url.Parse(location)
	if err != nil {
		return wrong("%q cannot be read", s)
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return wrong("%q does not begin with https://", s)
	}
	if u.Hostname() == "" {
		return wrong("no host in %q", s)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return wrong("unexpected path, query or user in %q", s)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	values, err := url.ParseQuery(fragment)
	if err != nil {
		return wrong("what follows # cannot be read")
	}
	a := Address{Host: net.JoinHostPort(u.Hostname(), port), Plain: u.Scheme == "http", Token: values.Get("token"), Pin: values.Get("pin")}
	if raw, err := hex.DecodeString(a.Pin); err != nil || a.Pin != "" && len(raw) != 32 {
		return wrong("the pin is not a SHA-256 in hexadecimal")
	}
	return a, nil
}

// String writes the address as a URL.
func (a Address) String() string {
	u := url.URL{Scheme: "https", Host: a.Host, Path: "/"}
	if a.Plain {
		u.Scheme = "http"
	}
	var parts []string
	if a.Token != "" {
		parts = append(parts, "token="+url.QueryEscape(a.Token))
	}
	if a.Pin != "" {
		parts = append(parts, "pin="+a.Pin)
	}
	if len(parts) == 0 {
		return u.String()
	}
	return u.String() + "#" + strings.Join(parts, "&")
}
