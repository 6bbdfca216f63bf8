// Package usernet joins two hosts by an emulated link without any privilege:
// each host is a gVisor network stack inside this process, and every IP packet
// between them passes an [emulator.Pipe].
//
// TCP is gVisor's: Reno or CUBIC (RFC 9438), with SACK, RACK-TLP and a minimum
// retransmission timeout of 200 ms, and it acknowledges each batch of segments
// at once instead of delaying. UDP has no offloads. Checksums are computed and
// verified, so that a corrupted packet is a lost one. Addresses are IPv4.
package usernet
