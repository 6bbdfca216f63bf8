package compare

import (
	"fmt"
	"hash"
	"sync/atomic"

	"lukechampine.com/blake3"
)

// digest is the BLAKE3 hash of a content.
type digest [32]byte

func newHash() hash.Hash { return blake3.New(32, nil) }

func sum(h hash.Hash) (d digest) {
	h.Sum(d[:0])
	return d
}

// verifier takes what the FileAssembler writes, keeps none of it and hashes all
// of it. Every carrier under comparison is ordered, so it expects the next byte
// and calls anything else an error.
type verifier struct {
	hash      hash.Hash
	delivered atomic.Int64 // bytes; read by the stall watch
}

func newVerifier() *verifier { return &verifier{hash: newHash()} }

func (v *verifier) WriteAt(p []byte, off int64) (int, error) {
	if next := v.delivered.Load(); off != next {
		return 0, fmt.Errorf("compare: byte %d arrived where byte %d was due", off, next)
	}
	v.hash.Write(p)
	v.delivered.Add(int64(len(p)))
	return len(p), nil
}
