package pipeline_test

import (
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/pipeline"
)

// noise returns n bytes that are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// TestRootHash compares the tree over blocks with BLAKE3 over the whole.
func TestRootHash(t *testing.T) {
	const block = 64 << 10
	for _, size := range []int{
		0, 1, 1023, 1024, 1025, 16 << 10, 16<<10 + 1, 17 << 10, block - 1, block, block + 1,
		2 * block, 2*block + 1, 3 * block, 5*block - 7, 8 * block, 9*block + 1024, 33*block + 5,
	} {
		data := noise(size)
		n := (size + block - 1) / block
		hashes := make([]pipeline.Hash, n)
		for i := range hashes {
			part := data[i*block : min(size, (i+1)*block)]
			hashes[i] = pipeline.BlockHash(uint32(i), block, part, n == 1)
			if !pipeline.VerifyBlock(uint32(i), block, part, hashes[i]) {
				t.Errorf("size %d: block %d does not verify", size, i)
			}
			if pipeline.VerifyBlock(uint32(i+1), block, part, hashes[i]) {
				t.Errorf("size %d: block %d verifies at another place", size, i)
			}
		}
		if got, want := pipeline.RootHash(hashes), pipeline.Hash(blake3.Sum256(data)); got != want {
			t.Errorf("size %d: root %v, want %v", size, got, want)
		}
	}
}
