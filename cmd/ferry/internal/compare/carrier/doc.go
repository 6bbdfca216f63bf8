// Package carrier opens what ferry compare compares, between two hosts of a
// link: the transports with their adapters, and beside each the bare carrier
// as its library has it, as a baseline.
//
// A [Carrier] is set up once as a [Place], a server that listens on one host
// and a client that knows it on the other. A place makes sessions: some flows,
// each with a near end, where was dialled, and a far end. Every end sends and
// receives in the same two ways, a file or a message, so that whoever measures
// does not know what it measures.
package carrier
