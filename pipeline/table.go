package pipeline

import (
	"slices"
)

// table holds the hashes of blocks, in pages that exist only where blocks
// are: what a sender claims costs nothing until its bytes have come.
type table struct {
	pages []*[pageSize]Hash
}

const pageSize = 1024

func (t *table) set(n uint32, h Hash) {
	i := int(n / pageSize)
	if i >= len(t.pages) {
		t.pages = slices.Grow(t.pages, i+1-len(t.pages))[:i+1]
	}
	if t.pages[i] == nil {
		t.pages[i] = new([pageSize]Hash)
	}
	t.pages[i][n%pageSize] = h
}

func (t *table) get(n uint32) Hash { return t.pages[n/pageSize][n%pageSize] }

// root merges the first n hashes, all of which must be there.
func (t *table) root(n int64) Hash {
	list := make([]Hash, n)
	for i := range list {
		list[i] = t.get(uint32(i))
	}
	return RootHash(list)
}
