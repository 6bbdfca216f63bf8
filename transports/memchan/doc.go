// Package memchan is a message channel in memory: the two ends of a link inside
// one process, with settable capacity, latency, rate, loss and order. It is
// the reference implementation of package transport's rules, the fast baseline
// of benchmarks, and the link for tests. It opens no socket and starts no
// goroutine, so it works inside testing/synctest bubbles, where its latency is
// exact.
//
// # Buffered amount
//
// A byte is buffered from Send until it enters the peer's inbox
// ([transport.ReleaseReceived]): immediately on a link without latency or rate
// whose reader keeps up.
//
// # Ordering and size
//
// Ordered and reliable unless [Options] says otherwise. With Options.Loss a
// message is lost whole, with Options.Unordered it may be overtaken by any of
// the next 15. A message has at most Options.MaxMessageSize bytes. Queue and
// inbox hold at most 65,536 messages each, however small they are.
//
// # Closing
//
// The end travels behind the messages. Close waits until the peer's inbox has
// taken everything, at most Options.CloseTimeout after the last message that
// was taken. CloseWrite ends one direction. Abort drops what is queued and is
// told to the peer. [Channel.Cut] makes the link swallow everything in silence.
//
// # Security
//
// Nothing leaves the process.
//
// # Peculiarities
//
// Send and Receive allocate nothing in the steady state: buffers go round. What
// a reader keeps beyond its next Receive is overwritten soon.
package memchan
