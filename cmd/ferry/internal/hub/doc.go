// Package hub is one address that every transport leads to: TLS over TCP for
// WebSocket and WebRTC signalling, QUIC and WebRTC's own packets over UDP, all
// on one port number, told apart by what each packet begins with.
//
// [Address] is the URL that a sender needs; [Listen] is the receiving side,
// [Address.Routes] the sending one.
package hub
