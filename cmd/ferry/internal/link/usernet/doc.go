// Package usernet joins two hosts by an emulated link without any privilege:
// each host is a gVisor network stack inside this process, and every IP packet
// between them passes an [emulator.Pipe].
//
// TCP is gVisor's: Reno or CUBIC (RFC 9438, with HyStart), with SACK recovery by
// RFC 6675 and a retransmission timeout of at least 200 ms more than the link's
// round trip, as in Linux. It acknowledges each batch of segments at once
// instead of delaying. RACK-TLP is off, because at the version in use it
// recovers from the many losses at the end of slow start far more slowly than
// without. The stack remembers at most 100 gaps in what was received; a queue
// that drops every other packet of a large window makes more, and costs a
// timeout and another slow start. Reno meets this on links with a large queue,
// CUBIC when HyStart fails it; a kernel never does (package kernelnet).
//
// UDP has no offloads. Checksums are computed and verified, so that a corrupted
// packet is a lost one. Addresses are IPv4.
package usernet
