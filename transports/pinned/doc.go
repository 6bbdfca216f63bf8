// Package pinned gives two ends that have no certificate authority in common a
// TLS connection that both can trust: the server makes a self-signed
// certificate on the spot, its SHA-256 travels to the client by some other way
// (a printed URL, a QR code), and the client accepts that one certificate and
// no other.
//
// The certificates are what a browser's serverCertificateHashes accepts
// (W3C WebTransport, "custom certificate requirements"): ECDSA over P-256 and a
// validity of at most two weeks.
//
// # Security
//
// A pin replaces the chain, the host name and the expiry date, not the
// handshake: TLS still proves that the server holds the key of the pinned
// certificate. Whoever can change the pin on its way can stand in the middle.
package pinned
