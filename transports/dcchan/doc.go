// Package dcchan carries transport channels over WebRTC data channels, with
// pion. What it puts on the wire is plain: a browser, aiortc or any other WebRTC
// peer sees ordinary data channels with ordinary messages.
//
// [New] makes a channel of a data channel that the application has; it should
// have called [Configure] on its engine. [Dial], [Connect] and [Listen], or a
// [Handler] on an existing HTTP server, are for those who have nothing: one HTTP
// POST of an SDP offer, answered with an SDP answer, sets up a connection.
//
// # Buffered amount
//
// BufferedAmount counts payload until the peer's SCTP has acknowledged it, which
// does not mean that the peer's application has it. pion's own count also has
// the opening of the channel and one byte for each empty message; they are taken
// out. pion queues without limit; here Send answers ErrBufferFull at MaxBuffered
// bytes, and at MaxBuffered/256 messages, however small. pion keeps about 1.4
// bytes of memory a byte.
//
// What is in flight counts as well, so MaxBuffered caps the throughput at
// MaxBuffered/RTT: the default of 768 KiB makes 310 Mbit/s at 20 ms and 63 Mbit/s
// at 100 ms. Give twice the bandwidth times the round trip on longer paths. The
// default is not larger because pion's receiver holds 1 MB between ICE and DTLS
// and drops what is beyond, which happens on fast links when the CPU lags; losses
// in a row then cost pion seconds.
//
// # Ordering and size
//
// Channels of this package are ordered and reliable. Those that the application
// created otherwise are declared as they are, and lose what they are allowed to
// lose. MaxMessageSize is the smallest of what the peer announced
// (a=max-message-size, RFC 8841; 65,535 bytes if it did not), Options, and
// [ReceiveBuffer]/64.
//
// The last is a matter of life: SCTP interleaves the messages of different
// channels (RFC 8260), and pion never recovers once its receive buffer is full
// of incomplete messages. 32 channels with messages of 128 KiB fill half of it. Towards
// peers with less, such as a pion with its default of 1 MiB, keep the number of
// channels sending at once, times the message size, below a quarter of it.
//
// A reader that does not read stops its channel: the inbox fills, then SCTP's
// receive buffer, which all channels of a connection share, and then they all
// stand still. ReceiveBuffer declares both together, for one channel alone. When
// reading goes on, the sender notices within a second: SCTP has it ask, and
// Configure has it ask often enough.
//
// # Closing
//
// Close resets the stream behind the queued messages (RFC 8831, section 6.7) and
// waits for the peer's own reset and for the acknowledgements. A pion peer
// resets after its application, or its inbox, has taken everything; browsers do
// so as well. While the peer reads slowly from what it has already acknowledged,
// no progress can be seen: give CloseTimeout the time that it may take over 8
// MiB. There is no half-close. What a side sent to a peer that closed first is
// lost, as far as that had not read it.
//
// Closing the PeerConnection instead drops everything on its way, and the peer
// sees ErrAborted. Connections of this package are closed after their channels.
//
// DeadPeer is 10 s: ICE reports a silent peer after 5 s (with pion's defaults as
// with Configure) and the channel gives it 2 s more. pion itself keeps the data
// channel open for ever. An application that has set longer ICE timeouts gets
// those.
//
// # Security
//
// Channels are always encrypted (DTLS 1.2 or later), between the very peers that
// exchanged offer and answer: the descriptions carry the fingerprints of the
// certificates. So the security of signalling is the security of the channel:
// use HTTPS, with [Options].Pin if the certificate is self-signed; over plain
// HTTP anybody on the path can put himself in between. The handler does not
// authenticate, and refuses browsers from foreign origins.
//
// What strangers can make a handler hold is bounded: MaxPeers connections, each
// with at most 8 MiB in SCTP and 1 MiB and one message in each of MaxChannels
// inboxes; ConnectTimeout for those that do not come; 64 KiB for an offer. pion
// counts 8 MiB by payload, though, and keeps some 260 bytes for the smallest
// message: tiny messages are therefore taken in at once and packed, and a peer
// that leaves millions of them unread loses the channel. While an inbox is full of
// larger ones they wait in pion, where a hostile peer can make 8 MiB cost two
// gigabytes: give strangers few channels, or read quickly. As
// ICE has it, an offer makes the handler send small packets to the addresses in
// it, for ConnectTimeout at most.
//
// # Peculiarities
//
//   - Abort tells the peer only if the channel is alone on a connection of this
//     package: the word for it, SCTP's ABORT, is for the whole connection.
//   - A channel of the application's that is still connecting cannot see its
//     connection, unless Options.PeerConnection is given.
//   - pion takes in 16 new channels at a time; more at once wait for seconds.
//     Conn.Open paces them, Configure paces those created before connecting.
//   - A refused channel, beyond MaxChannels, opens and closes at once.
//   - A connection ends when its peer ends it or vanishes; on the accepting side
//     also after ConnectTimeout without channels.
//   - Sockets are read and written in bulk where the system can (see package
//     udp), which costs up to 192 KiB a socket.
//   - ICE needs UDP. On loopback nothing else is needed, not even a network.
package dcchan
