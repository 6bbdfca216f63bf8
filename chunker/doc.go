// Package chunker carries payloads of any size over channels whose messages
// are small: an [Uploader] sends a file, [SendFrame] one of many frames, and a
// [FileAssembler] or [Reassembler] puts them together again at the other end.
// It works on any [transport.MessageChannel].
//
// # Why chunks
//
// A WebRTC data channel carries 64 KiB in a message if the peer promises
// nothing better (RFC 8841, section 6), and one large message would keep all
// others waiting and fill the memory of both sides. Every chunk says by itself
// what it is part of, so chunks may arrive in any order, on several channels,
// or twice.
//
// # The wire
//
// Integers are little-endian and unsigned. Payload follows the header to the
// end of the message. Messages are binary.
//
//	upload   bytes 0-3 chunk index   4-7 total chunks                     8...  payload
//	frame    bytes 0-3 frame id      4-7 chunk index   8-11 total chunks  12... payload
//
// There is at least one chunk, the index is below the total, and the total is
// the same in every chunk. All chunks of a file but the last have one size,
// 49,152 bytes unless chosen otherwise; the last has the rest. Something empty
// is one empty chunk. Nothing marks the end: it is there when every index has
// arrived. A message of 0 or 1 byte on an upload channel is a keep-alive, to
// be echoed unchanged. The two formats cannot be told apart by their bytes:
// which one a channel speaks is agreed by its label or otherwise beforehand.
// This is, byte for byte, what Roboflow's inference SDK sends and expects.
//
// # Backpressure
//
// Send on a channel does not wait, so a sender must. It pauses before the
// buffered amount would exceed a high mark and goes on when [transport.Drain]
// says that it has fallen to a low one: woken by the channel if it can do
// that, by polling gently if not. A channel that is full is a reason to wait
// and not an error. What leaves the buffer has been handed down and no more
// (see [transport.Release]): only the receiving application can confirm that
// it has a file, by whatever message the two agree on.
//
// # Errors
//
// Whatever a peer sends is answered with an error at worst. Errors of a chunk
// are located by [ChunkError]; ask with [errors.Is] for what is wrong. A
// message that is refused changes nothing, so that the right one may still
// come; the exceptions are said at [ErrLimit].
//
// # Limits and memory
//
// Everything has a limit with a default that is an option, and memory follows
// what has arrived, never what is announced.
//
//	Uploader, FrameSender   one chunk and its header
//	Reassembler             MaxBytes, and 8 bytes for each id of the Window
//	FileAssembler           4 bytes a chunk, in pages of 1,024 chunks, at most
//	                        4 bytes x MaxChunks; and one chunk, if the last
//	                        arrives first
//
// The channel's own buffer comes on top: at most the high mark.
package chunker
