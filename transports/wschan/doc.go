// Package wschan makes message channels of WebSocket connections (RFC 6455),
// over github.com/coder/websocket. One message of the channel is one WebSocket
// message, binary or text, so that a browser or any other WebSocket library is
// a full peer. All that is added is a pong "reading" once a second while
// messages are read, a sign of life as RFC 6455, section 5.5.3 allows it.
//
// [Dial] and [Listen] are for those who have nothing yet, [Accept] and
// [NewHandler] for those who have an HTTP server, [New] for those who have a
// connection.
//
// # Buffered amount
//
// A byte is buffered from Send until the kernel has taken it
// ([transport.ReleaseKernel]). On Linux, where this package knows the socket
// (Dial, Listen, Accept), TCP_NOTSENT_LOWAT keeps the kernel from taking
// more than about 128 KiB (at most a message more) that it cannot send yet:
// what has left BufferedAmount is on its way or at the peer. Elsewhere the
// kernel may hide a whole socket buffer, some megabytes.
//
// ReceiveBuffer counts the inbox, one message, and the most that the kernel's
// receive buffer can grow to (on Linux the third value of
// net.ipv4.tcp_rmem; 16 MiB elsewhere). The buffer is left to the kernel to
// size: setting it by hand would fix the throughput of connections with a long
// round trip at its size, by default at most 208 KiB a round trip on Linux.
//
// # Ordering and size
//
// Ordered and reliable. Messages of up to Options.MaxMessageSize, 1 MiB by
// default, in both directions; the library's own limit of 32 KiB is off. A
// larger message from the peer is refused with close code 1009 and ends the
// channel with [ErrOversize] on both sides, text that is not UTF-8 with 1007
// and [ErrText]. Neither allocates more than the limit. Compression is off.
//
// # Closing
//
// The close frame travels behind the messages, and the peer's library answers
// it when it has read everything before it: Close returns nil then. There is
// no half-close. Close waits as long as the peer reads, provided that
// CloseTimeout is longer than 4 s: a peer of this package says so, and of
// others the window is seen to move, on Linux. A foreign reader that needs
// longer than CloseTimeout for the last megabytes, which may not move the
// window any more, looks dead.
//
// Close codes 1000, 1001 (a browser's page was left) and a close frame without
// a code (the browser's close()) are the peer's graceful end, io.EOF. Every
// other end matches [transport.ErrAborted]: another code (the error holds a
// websocket.CloseError), and the end of the connection without a close frame
// ([ErrNoCloseFrame]). Abort resets the connection.
//
// A peer that vanished is noticed within 10 seconds, DeadPeer, on Linux where
// the socket is known, also when idle and when its window is closed; a peer
// that lives and does not read is left alone. It is done with keep-alive
// probes and the age of the last segment heard, and not with TCP_USER_TIMEOUT,
// which since Linux 5.11 kills a peer that does not read. Before Linux 6.15
// (TCP_RTO_MAX_MS) the probes of a window that has been closed for long come
// up to two minutes apart, and so does the notice. Other systems probe idle
// connections only, and there, as with New, DeadPeer is 0.
//
// # Security
//
// Requests from web pages of foreign origins are refused unless
// Options.OriginPatterns allow them; anything else that can reach the address
// can connect, so authenticate (Options.Header, and the handler in front of
// Accept). wss is TLS of the standard library with the system's roots, or with
// a self-signed certificate that is pinned by its SHA-256. A listener bounds
// what strangers may open: connections that are shaking hands, the time they
// take, their header, and connections that wait for Accept.
//
// # Peculiarities
//
// The library ends a connection when it cannot write a pong or a close frame
// within 5 seconds, which happens when the peer pings and does not read, and it
// takes the end of the connection between two reads for the end of a message.
// This package writes pongs and close frames itself, without a limit, and
// watches the byte stream below the library. With New it can do so for close
// frames only. An application that dials and accepts itself should set
// OnPingReceived to a function that returns false, if its peers can do
// without pongs, and should verify what it receives (package chunker's headers
// tell a short message).
//
// Pings are answered as long as the inbox, 1 MiB, is not full. A peer that
// insists on pongs will give up on a reader that does not read.
//
// The masks that a client must put on its messages (RFC 6455, section 5.3) cost
// a copy. The library writes them 4 KiB at a time, and TLS 16 KiB at a time; here
// a message leaves in writes of at least 64 KiB, or whole. An application that
// serves wss itself has the latter with [NewTLSListener].
package wschan
