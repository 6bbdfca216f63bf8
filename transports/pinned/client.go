package pinned

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrPin: the server's certificate is not the pinned one. Either the server
// was restarted with a new certificate, and the client needs its new pin, or
// somebody stands in the middle.
var ErrPin = errors.New("pinned: the server's certificate is not the pinned one")

// ErrBadPin: a pin is not 64 hexadecimal digits.
var ErrBadPin = errors.New("pinned: a pin is the SHA-256 of a certificate in 64 hexadecimal digits")

// PinError tells the two pins that differ. It matches [ErrPin].
type PinError struct {
	Want, Got string // pins; Got is "" if the server showed no certificate
}

func (e *PinError) Error() string {
	return fmt.Sprintf("%v: want %s, got %s", ErrPin, e.Want, e.Got)
}

// Unwrap makes errors.Is(err, ErrPin) true.
func (e *PinError) Unwrap() error { return ErrPin }

// Client returns a TLS 1.3 client configuration that accepts exactly the server
// certificate with this pin, whatever its issuer, host names and dates. The
// caller may add to it (NextProtos, ServerName) before its first use.
//
// It returns an error matching [ErrBadPin] if pin is malformed. Handshakes with
// another certificate fail with an error matching [ErrPin].
func Client(pin string) (*tls.Config, error) {
	want, err := hex.DecodeString(pin)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%w, not %q", ErrBadPin, pin)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The chain is replaced by the pin. VerifyConnection is called for
		// resumed sessions too.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return &PinError{Want: hex.EncodeToString(want)}
			}
			got := sha256.Sum256(state.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare(got[:], want) != 1 {
				return &PinError{Want: hex.EncodeToString(want), Got: hex.EncodeToString(got[:])}
			}
			return nil
		},
	}, nil
}
