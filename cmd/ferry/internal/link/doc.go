// Package link describes emulated links and opens them.
//
// A [Spec] is a link in words: "rtt=50ms,loss=1%,rate=100mbit,queue=1bdp", or
// one of the [Profiles]. [Open] builds a [Network] of it: two hosts, a client
// and a server, whose IP packets pass an [emulator.Pipe] in each direction.
// There are two kinds. [User] gives each host a gVisor network stack and runs
// anywhere (package usernet). [Kernel] gives each host a network namespace of
// Linux, its own TCP and UDP included, and needs root (package kernelnet).
package link
