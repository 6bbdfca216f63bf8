// Package pipeline moves files from a sender to a receiver in transfers that
// outlive their connections: confirmed, verified, resumable over any
// transport, moved to another one when theirs fails, and bounded in memory on
// both sides. It knows no transport; it is given functions that open channels.
//
// The sender calls [Send] with a list of ways to reach the receiver, best
// first, and a [Source]: [Files], [Blob] or [Stream]. When Send returns nil,
// the receiver has the content, has compared its hash, and has given it its
// final name.
//
// The receiver makes a [Server] with a [Sink], and calls [Server.Handle] for
// every channel that any of its listeners accepts. Package dirsink is the sink
// for directories; [MemorySink] keeps everything in memory.
//
// # Blocks
//
// All files of a transfer form one stream, cut into blocks of 1 MiB. A block is
// the unit of everything: each is announced, carried, verified, written and
// acknowledged by itself, in any order, on any channel of the transfer. What
// the receiver has written it has for good, also when either side is killed;
// what it has not acknowledged is sent again over whatever channel there is.
//
// Block hashes are the inner nodes of the BLAKE3 tree, so the root of a
// transfer of one file is what b3sum prints, and a damaged block is known by
// its number.
//
// # Memory
//
// The sender holds at most SendOptions.MaxBuffered of content, the receiver
// ServerOptions.MaxBuffered over all transfers, of which a channel gets at
// most ServerOptions.Window. Besides content, both hold about 40 bytes per block
// of a transfer and 1 KiB per entry; a sender fills the queue of each channel
// with 16 MiB at most. docs/transfers.md has the sum.
//
// # Security
//
// A sender proves the access token before the receiver looks at anything it
// offers; the token itself does not travel. Joining a running transfer takes a
// token of 128 bits that only its sender was told. Everything a peer says is
// checked against limits and against what it said before. The content is as
// secret as the channel: use TLS, QUIC or WebRTC.
//
// Transfer IDs follow from SendOptions.Key and the identity of the source.
// Whoever knows ID and access token can take the transfer over, though not
// read what has arrived; with a secret Key nobody can guess the ID.
//
// The protocol, ferry/1, is documented in docs/wire-format.md.
package pipeline
