// Package pump turns a blocking, message-at-a-time connection into a
// [transport.Channel]. An adapter supplies a [Carrier] of four methods that
// may simply block; pump supplies everything that is the same for all of them:
// the bounded queue in front of the writer with its BufferedAmount and Drain,
// the bounded inbox behind the reader, receiving with a context that harms
// nothing, the states, and the ways to end.
//
// # Memory
//
// A channel holds at most MaxBuffered payload bytes and MaxBuffered/64 messages
// on the way out, and InboxSize bytes plus one message on the way in. Messages
// are packed into blocks of 256 KiB, recycled; a block is at worst half empty,
// so the memory is at most twice those figures. In steady state nothing is
// allocated per message.
package pump
