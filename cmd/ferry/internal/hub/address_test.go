package hub

import (
	"errors"
	"strings"
	"testing"
)

var somePin = strings.Repeat("ab", 32)

func TestAddressRoundTrip(t *testing.T) {
	for _, a := range []Address{
		{Host: "192.0.2.7:4433", Token: "secret", Pin: somePin},
		{Host: "[2001:db8::1]:4433", Token: "a b&c=d#e%", Pin: somePin},
		{Host: "example.net:443"},
		{Host: "127.0.0.1:8080", Plain: true, Token: "t", Pin: somePin},
	} {
		got, err := ParseAddress(a.String())
		if err != nil || got != a {
			t.Errorf("%s: %+v, %v", a, got, err)
		}
	}
	if a, err := ParseAddress("https://example.net"); err != nil || a.Host != "example.net:443" {
		t.Errorf("default port: %+v, %v", a, err)
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, s := range []string{
		"", "example.net:4433", "ftp://example.net", "https://", "https:///#token=x", "https://h:1/path", "https://h:1/?q=1",
		"https://u@h:1/", "https://h:1/#pin=xyz", "https://h:1/#pin=abcd", "https://h:1/#pin=" + somePin + "00", "https://h:1/#token=%zz", "https://h:port/", "\x00",
	} {
		if a, err := ParseAddress(s); !errors.Is(err, ErrAddress) {
			t.Errorf("ParseAddress(%q) = %+v, %v; want ErrAddress", s, a, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("https://h:1/#token=x&pin=" + somePin)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q reads as %+v, which reads as %+v, %v", s, a, again, err)
		}
	})
}
