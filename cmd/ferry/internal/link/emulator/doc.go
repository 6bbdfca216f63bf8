// Package emulator carries IP packets the way a link would: one [Pipe] is one
// direction of it, with a rate, a queue, a delay, and the faults of a real wire.
//
// It knows nothing of what the packets mean or of the stacks at either end. A
// packet goes in with [Pipe.Send], which never blocks and never fails, and comes
// out through a function, or is dropped in silence and counted. When a packet
// arrives is computed once, when it is sent, from the times of the packets
// before it, so that a late timer delays one delivery and never the link: rates
// and delays do not drift.
//
// What is random is seeded, see [Config]. In a bubble of testing/synctest a
// Pipe lives in virtual time.
package emulator
