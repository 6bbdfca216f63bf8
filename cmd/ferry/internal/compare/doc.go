// Package compare measures how fast the same bytes travel over different
// carriers and links, and says what limits each of them.
//
// Every counted byte was delivered and verified: what the receiver has is
// hashed there and compared with the source. Runs alternate between the
// carriers, so that a machine whose speed drifts drifts for all of them. A
// rate is the bytes delivered over the time from the first read of the source
// to the last byte hashed, or to the moment the run is cut off, which is not
// while all waits for a missing packet. Opening the channel is not part of it.
// On an emulated link each run has a link of its own, and in one round all
// carriers have the same fate: the same seed.
//
// The outcome is a result.Report; package report shows it.
package compare
