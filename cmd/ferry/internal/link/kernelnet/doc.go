// Package kernelnet joins two hosts by an emulated link with the kernel's own
// TCP and UDP: each host is a network namespace of Linux with a TUN device, and
// this process carries every IP packet from one device to the other through an
// [emulator.Pipe]. It needs Linux and root.
//
// The namespaces have no name and exist only as file descriptors of this
// process: whatever becomes of it, the kernel removes them with their devices.
// Sockets are made on a thread inside a namespace and then used as any other.
//
// In each namespace the congestion control of TCP is pinned, nothing is
// remembered from one connection to the next (tcp_no_metrics_save), the
// buffers may grow beyond the bandwidth-delay product, and IPv6 is off. All
// else is the kernel's default. The devices have no offloads, so that what
// passes the link are packets of at most the MTU.
package kernelnet
