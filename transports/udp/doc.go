// Package udp is a UDP socket that moves packets in bulk. Protocols in user
// space, such as QUIC and WebRTC, hand every packet of 1200 to 1450 bytes to
// the kernel and take it back by itself; on a fast path most of their time goes
// there. [New] makes a [Conn] of a *net.UDPConn that needs one system call for
// some dozens.
//
// Reading uses UDP_GRO (Linux udp(7), since 5.0): the kernel hands over
// consecutive packets of one peer as one, and Conn takes it apart again. Where
// sender and receiver are on one machine, a burst sent with UDP_SEGMENT crosses
// the kernel in one piece.
//
// Writing with [Conn.WriteTo] and [Conn.WriteToAddrPort] uses UDP_SEGMENT
// (udp(7), since 4.18): a packet is queued and the call returns. A goroutine
// that runs while the queue is not empty writes what has gathered: nothing waits
// for company, and what came while the system call before was busy leaves with
// the next one. Packets keep their order. A burst for which UDP_SEGMENT fails,
// as it does on devices without checksum offload, is written packet by packet,
// and so is everything after it. What the network refuses then is lost, as the
// network loses packets. [Conn.WriteMsgUDP] is not queued: quic-go makes its own
// bursts with it.
//
// Where the kernel lacks these options, and on systems other than Linux, a Conn
// behaves like the socket inside.
package udp
