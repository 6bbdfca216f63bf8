// Package compare measures how fast the same bytes travel over different
// channels: the same Uploader on one side, the same FileAssembler on the
// other, the content hashed at the receiver and compared with the source.
//
// Runs alternate between the carriers, so that a machine whose speed drifts
// drifts for all of them; a first round is run and thrown away. A rate counts
// the bytes that the receiver verified, over the time from the first read of
// the source to the last byte hashed. Opening the channel is not part of it.
package compare
