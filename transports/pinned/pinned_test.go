package pinned_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

func newCertificate(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	cert, err := pinned.New(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// handshake connects client to a server showing cert, over TCP on loopback.
func handshake(t *testing.T, cert tls.Certificate, client *tls.Config) error {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.(*tls.Conn).Handshake() // the client's error is the one asked for
	}()
	defer func() { listener.Close(); <-served }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return tls.Client(conn, client).Handshake()
}

func TestClientAcceptsOnlyThePin(t *testing.T) {
	ours, other := newCertificate(t), newCertificate(t)
	if pinned.Pin(ours) == pinned.Pin(other) {
		t.Fatal("two certificates with one pin")
	}
	config, err := pinned.Client(strings.ToUpper(pinned.Pin(ours)))
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(t, ours, config); err != nil {
		t.Errorf("the pinned certificate: %v", err)
	}
	err = handshake(t, other, config)
	if !errors.Is(err, pinned.ErrPin) {
		t.Errorf("another certificate: %v, want ErrPin", err)
	}
	if pin, ok := errors.AsType[*pinned.PinError](err); !ok || pin.Got != pinned.Pin(other) || pin.Want != pinned.Pin(ours) {
		t.Errorf("the error names %+v", pin)
	}
}

func TestClientRefusesMalformedPins(t *testing.T) {
	good := pinned.Pin(newCertificate(t))
	for _, pin := range []string{"", "00", good[1:], good + "00", "x" + good[1:], good[:62] + "é"} {
		if _, err := pinned.Client(pin); !errors.Is(err, pinned.ErrBadPin) {
			t.Errorf("Client(%q): %v, want ErrBadPin", pin, err)
		}
	}
}

// What W3C WebTransport asks of a certificate in serverCertificateHashes.
func TestBrowsersAcceptTheCertificate(t *testing.T) {
	for range 20 { // serial numbers are random
		leaf := newCertificate(t).Leaf
		if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
			t.Fatalf("public key is %T, want ECDSA P-256", leaf.PublicKey)
		}
		// RFC 5280, 4.1.2.5: both ends are part of the validity.
		if d := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second; d > 14*24*time.Hour {
			t.Errorf("valid for %v, more than 14 days", d)
		}
		if left := time.Until(leaf.NotAfter); left < 12*24*time.Hour {
			t.Errorf("valid for only %v from now", left)
		}
		if time.Since(leaf.NotBefore) < time.Hour {
			t.Error("a client whose clock is an hour late would refuse it")
		}
		if leaf.Version != 3 || leaf.SerialNumber.Sign() <= 0 || len(leaf.SerialNumber.Bytes()) > 20 {
			t.Errorf("version %d, serial %v", leaf.Version, leaf.SerialNumber)
		}
	}
}

func TestHosts(t *testing.T) {
	tests := []struct {
		hosts, valid, invalid []string
	}{
		{nil, []string{"localhost", "127.0.0.1", "::1"}, []string{"example.org", "192.0.2.1"}},
		{[]string{"example.org", "2001:db8::1"}, []string{"example.org", "2001:db8::1"}, []string{"localhost"}},
	}
	for _, test := range tests {
		leaf := newCertificate(t, test.hosts...).Leaf
		for _, host := range test.valid {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Errorf("New(%q): %v", test.hosts, err)
			}
		}
		for _, host := range test.invalid {
			if leaf.VerifyHostname(host) == nil {
				t.Errorf("New(%q) is valid for %s", test.hosts, host)
			}
		}
	}
}

func TestNewRefusesWhatNoCertificateCanHold(t *testing.T) {
	if _, err := pinned.New("exämple.org"); err == nil {
		t.Error("a host that is not ASCII was accepted")
	}
}

func TestPinOfNothing(t *testing.T) {
	if pin := pinned.Pin(tls.Certificate{}); pin != "" {
		t.Errorf("Pin of no certificate is %q", pin)
	}
}
