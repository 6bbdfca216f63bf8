// Package remote is the far end of a comparison over a real network: what
// ferry serve --allow-compare does, and how ferry compare URL asks for it.
//
// It takes channels with the label [Label]. Messages of control are JSON text.
//
//	server: {"nonce": N}
//	client: {"proof": HMAC-SHA256(token, Label + N), "do": "echo"|"take"|"give"|"talk", "bytes": ..., "milliseconds": ..., "chunk_size": ..., "high_water": ...}
//
// echo: every further message goes back as it is. take: the client uploads a
// file of that many bytes; the server hashes and drops what arrives, reports
// {"bytes": ...} ten times a second, and when the file is complete or the time
// is over {"bytes": ..., "seconds": ..., "blake3": ..., "done": true}. give: the
// server uploads the first bytes of [Content]. talk: the server answers each
// message with one of that many bytes, the message's BLAKE3 hash and then
// [Content].
//
// What is not allowed ends the channel.
package remote
