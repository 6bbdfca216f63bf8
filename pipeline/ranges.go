package pipeline

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
)

// ranges are sets of blocks as they travel: half-open, ascending, disjoint.
type ranges [][2]uint32

// MarshalJSON writes [] for an empty set.
func (r ranges) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal([][2]uint32(r))
}

func (r ranges) check() error {
	if len(r) > maxBatch {
		return fmt.Errorf("%d ranges, at most %d", len(r), maxBatch)
	}
	end := uint32(0)
	for i, p := range r {
		if p[0] >= p[1] || i > 0 && p[0] < end {
			return fmt.Errorf("range [%d,%d) is empty or out of order", p[0], p[1])
		}
		end = p[1]
	}
	return nil
}

// add appends block n, which must be above all others.
func (r ranges) add(n uint32) ranges {
	if k := len(r); k > 0 && r[k-1][1] == n {
		r[k-1][1]++
		return r
	}
	return append(r, [2]uint32{n, n + 1})
}

// rangesOf sorts blocks and returns them as ranges.
func rangesOf(blocks []uint32) (r ranges) {
	slices.Sort(blocks)
	for _, n := range slices.Compact(blocks) {
		r = r.add(n)
	}
	return r
}

// bitmap is a set of block numbers, which grows to the largest one set.
type bitmap struct {
	words []uint64
	count int64
}

func (b *bitmap) has(n uint32) bool {
	i := int(n / 64)
	return i < len(b.words) && b.words[i]>>(n%64)&1 == 1
}

// set adds n and reports whether it was new.
func (b *bitmap) set(n uint32) bool {
	if b.has(n) {
		return false
	}
	i := int(n / 64)
	for i >= len(b.words) {
		b.words = append(b.words, 0)
	}
	b.words[i] |= 1 << (n % 64)
	b.count++
	return true
}

// unset removes n and reports whether it was there.
func (b *bitmap) unset(n uint32) bool {
	if !b.has(n) {
		return false
	}
	b.words[n/64] &^= 1 << (n % 64)
	b.count--
	return true
}

// all calls yield for every block of the set, ascending.
func (b *bitmap) all(yield func(uint32) bool) {
	for i, w := range b.words {
		for ; w != 0; w &= w - 1 {
			if !yield(uint32(i*64 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}

// ranges returns the set as ranges.
func (b *bitmap) ranges() (r ranges) {
	for n := range b.all {
		r = r.add(n)
	}
	return r
}

// has reports whether n is in the set.
func (r ranges) has(n uint32) bool {
	_, found := slices.BinarySearchFunc(r, n, func(p [2]uint32, n uint32) int {
		switch {
		case p[1] <= n:
			return -1
		case p[0] > n:
			return 1
		}
		return 0
	})
	return found
}
