// Package quicchan carries channels over QUIC streams (RFC 9000), with quic-go.
// One channel is one bidirectional stream; a connection carries one or many.
//
// [Dial] and [Listen] make connections, by a self-signed certificate and its
// pin unless told otherwise; [Open] and [Accept] add channels to a connection
// that exists, and [New] makes one of a stream.
//
// # Wire format
//
// A stream has no messages, so this package gives it some. Each end begins its
// direction at once with a preamble, whose first bytes make the stream visible
// to the other side:
//
//	offset  bytes  field
//	0       4      magic "CKFY"
//	4       1      version, 1
//	5       1      length of the label, n
//	6       n      label, UTF-8: the opener's name for the channel, "" if none
//
// Frames follow, each with this header:
//
//	offset  bytes  field
//	0       1      kind: 1 binary, 2 text, 3 half-end, 4 end, 5 notice
//	1       4      length of the payload, little-endian; 0 for kinds 3 to 5
//	5       length payload
//
// After half-end its sender sends only notices and end. After end it sends
// nothing but, once it has read the other side's end, the stream's FIN. A stream
// that ends without an end frame was cut short. A notice says that its sender is
// reading; it is sent every half second at most, and needs no answer. Streams and connections are aborted with these
// error codes (RFC 9000, sections 19.4, 19.5 and 19.19):
//
//	0  done: both ends have been read      3  message beyond the receiver's limit
//	1  aborted                             4  too many channels or connections
//	2  not this protocol, or not correct   5  preamble or first channel overdue
//
// # Buffered amount
//
// A message leaves BufferedAmount, whole, when all of it has been packed into
// packets for first transmission (transport.ReleasePacketized), but for a tail
// of up to 1,452 bytes that may wait for the next packet. So the count includes
// what congestion control or the peer's flow control holds back, and not what
// is in flight or lost and to be sent again. Nothing in quic-go tells what has
// been acknowledged.
//
// # Ordering and size
//
// Channels are ordered and reliable. Each is its own stream: a lost packet holds
// up the channels it carried data of, no others. A message may have any size up
// to Options.MaxMessageSize, 1 MiB unless set otherwise on both sides; the
// receiver refuses a longer one by its header, before reading or allocating.
//
// Properties.ReceiveBuffer is the stream's flow-control window, which QUIC
// enforces, and pump's inbox. The channels of a connection share a window that
// is at least one and a half, at most two and a half times that of any of them.
// So one channel that nobody reads leaves the others alone; several may bring
// them to a standstill until somebody reads. Use a connection each for readers
// that may stall.
//
// # Closing
//
// quic-go's CloseWithError drops what has not been sent, and at the peer even
// what has arrived and not been read. So the end is a frame: the side that
// closes writes it after its last message, the other answers with its own, and
// each sends FIN when it has read the other's. Only after the FIN, or 2 s
// without one, does the side that owns the connection (the one that dialled)
// close it, with code 0; a listener's connection closes with its peer's, or with
// its last channel once the listener is closed. Half-close is supported.
//
// Close waits for a slow reader as long as he reads: what QUIC's windows have
// taken in counts for nothing, the reader's notices do.
//
// Abort resets the stream, or closes a connection of its own, with code 1; the
// peer's Receive returns what it had taken in and then transport.ErrAborted.
//
// A vanished peer is noticed within Options.DeadPeer, 8 s unless set otherwise,
// also in silence: the connection probes every quarter of it and gives up after
// three quarters without an answer. For the same reason an idle channel stays
// open for ever. A listener that was killed and started again with the same
// certificate says so to the first message its old peers send (RFC 9000, section
// 10.3). On a connection of the application's its quic.Config decides; quic-go's
// own default is to end idle connections after 30 s.
//
// # Security
//
// TLS 1.3 always, ALPN "chunkferry/1". Options.Pin names the one certificate
// accepted by its SHA-256 (package pinned); without it TLS verifies as usual.
// Nothing here authenticates the client: use TLS client certificates or a token
// in the first message.
//
// A listener bounds strangers: Options.MaxConnections counts from the first
// packet; from a quarter of it on they must prove their address first (RFC 9000,
// section 8.1.2). Streams beyond Options.MaxStreams end the connection. A
// preamble must arrive within Options.HandshakeTimeout, a first channel within
// Options.IdleTimeout. Until a channel has been accepted nothing of it is read
// but the preamble, so a connection can fill 2 MiB and no more; lengths from
// the wire allocate nothing until bytes arrive. No early data (0-RTT) is
// accepted, as it can be replayed.
//
// # Peculiarities
//
// quic-go wants UDP socket buffers of 7 MiB and sets them where it may. Where the
// system's limit is lower it prints one line to the standard logger and runs
// slower at high rates; raise net.core.rmem_max and wmem_max, or silence it with
// QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true in the environment.
//
// Sockets are read in bulk where the system can (see package udp), which costs
// 64 KiB a socket.
//
// Congestion control is Reno's, paced, and not configurable.
package quicchan
