package pipeline

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"

	"lukechampine.com/blake3/guts"
)

// Hash is a BLAKE3 value of 32 bytes: the chaining value of a block, or the
// root of a stream.
type Hash [32]byte

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes what String returns.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return fmt.Errorf("hash of %d digits, want %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// The hash tree is BLAKE3's own (BLAKE3 paper, section 2.1): a block of 2^k
// KiB at its place in the stream is a complete subtree, so the chaining values
// of the blocks merge into the root that any BLAKE3 program computes over the
// whole stream. The one exception is the block of a stream that has only one:
// it is the root itself.

// BlockHash returns the hash of block n. only says that the stream has no
// other block.
func BlockHash(n uint32, blockSize int, data []byte, only bool) Hash {
	return sum(blockNode(n, blockSize, data), only)
}

// VerifyBlock reports whether data is block n with the given hash. Of block 0
// either hash will do, because nobody can know whether it is the only one
// before the stream ends; the root shows it then.
func VerifyBlock(n uint32, blockSize int, data []byte, want Hash) bool {
	node := blockNode(n, blockSize, data)
	return sum(node, false) == want || n == 0 && sum(node, true) == want
}

// RootHash merges the hashes of all blocks, in order, into the root. Of an
// empty stream it is BLAKE3 of nothing.
func RootHash(blocks []Hash) Hash {
	switch len(blocks) {
	case 0:
		return BlockHash(0, 0, nil, true)
	case 1:
		return blocks[0]
	}
	var stack subtrees
	last := len(blocks) - 1
	for _, h := range blocks[:last] {
		stack.push(h.words())
	}
	return sum(stack.fold(blocks[last].words()), true)
}

// blockNode compresses a block to the top node of its subtree.
func blockNode(n uint32, blockSize int, data []byte) guts.Node {
	const width = guts.MaxSIMD * guts.ChunkSize
	counter := uint64(n) * uint64(blockSize/guts.ChunkSize)
	var stack subtrees
	for len(data) > width {
		group := guts.CompressBuffer((*[width]byte)(data), width, &guts.IV, counter, 0)
		stack.push(guts.ChainingValue(group))
		counter += guts.MaxSIMD
		data = data[width:]
	}
	var last guts.Node
	if len(data) == width {
		last = guts.CompressBuffer((*[width]byte)(data), width, &guts.IV, counter, 0)
	} else {
		var tail [width]byte
		last = guts.CompressBuffer(&tail, copy(tail[:], data), &guts.IV, counter, 0)
	}
	if stack.count == 0 {
		return last
	}
	return stack.fold(guts.ChainingValue(last))
}

// sum finishes a node.
func sum(n guts.Node, root bool) (h Hash) {
	if root {
		n.Flags |= guts.FlagRoot
	}
	for i, w := range guts.ChainingValue(n) {
		binary.LittleEndian.PutUint32(h[4*i:], w)
	}
	return h
}

func (h Hash) words() (cv [8]uint32) {
	for i := range cv {
		cv[i] = binary.LittleEndian.Uint32(h[4*i:])
	}
	return cv
}

// subtrees is the stack of complete subtrees to the left of the next one: one
// for every bit set in count.
type subtrees struct {
	stack [54][8]uint32
	count uint64
}

func (s *subtrees) push(cv [8]uint32) {
	level := bits.TrailingZeros64(^s.count)
	for i := range level {
		cv = guts.ChainingValue(guts.ParentNode(s.stack[i], cv, &guts.IV, 0))
	}
	s.stack[level] = cv
	s.count++
}

// fold joins the rightmost subtree with all to its left and returns the top
// node. There must be at least one to its left.
func (s *subtrees) fold(right [8]uint32) (top guts.Node) {
	first := true
	for i := range s.stack {
		if s.count>>i&1 == 0 {
			continue
		}
		if !first {
			right = guts.ChainingValue(top)
		}
		top, first = guts.ParentNode(s.stack[i], right, &guts.IV, 0), false
	}
	return top
}
