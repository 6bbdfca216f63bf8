package dirsink

import (
	"encoding/binary"
	"hash"
	"iter"
	"math"
	"sort"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/pipeline"
)

// layout knows where each byte of the stream belongs.
type layout struct {
	m      *pipeline.Manifest
	starts []int64 // offset of each entry in the stream
}

func newLayout(m *pipeline.Manifest) *layout {
	l := &layout{m: m, starts: make([]int64, len(m.Entries))}
	var at int64
	for i, e := range m.Entries {
		l.starts[i] = at
		at += e.Size // an entry of unknown size is the only one
	}
	return l
}

// size returns the size of entry i, or the largest there is if it is unknown.
func (l *layout) size(i int) int64 {
	if n := l.m.Entries[i].Size; n >= 0 {
		return n
	}
	return math.MaxInt64
}

// length returns how many bytes block n has, and whether there is such a
// block. Of a stream of unknown size it returns the most it can have.
func (l *layout) length(n uint32) (bytes int, ok bool) {
	if l.m.Size < 0 {
		return l.m.BlockSize, true
	}
	left := l.m.Size - int64(n)*int64(l.m.BlockSize)
	if left <= 0 {
		return 0, false
	}
	return int(min(left, int64(l.m.BlockSize))), true
}

// span is the part of a block that belongs to one entry.
type span struct {
	entry  int
	offset int64 // in the entry
	lo, hi int   // in the block
}

// spans yields the parts of the length bytes of block n.
func (l *layout) spans(n uint32, length int) iter.Seq[span] {
	return func(yield func(span) bool) {
		at := int64(n) * int64(l.m.BlockSize)
		i := sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > at }) - 1
		for lo := 0; lo < length && i < len(l.starts); i++ {
			offset := at + int64(lo) - l.starts[i]
			take := int(min(l.size(i)-offset, int64(length-lo)))
			if take <= 0 {
				continue // empty
			}
			if !yield(span{i, offset, lo, lo + take}) {
				return
			}
			lo += take
		}
	}
}

// digest identifies a manifest, modes left aside.
func digest(m *pipeline.Manifest) (h pipeline.Hash) {
	var d hash.Hash = blake3.New(len(h), nil)
	putInt(d, int64(m.BlockSize))
	putInt(d, m.Size)
	for _, e := range m.Entries {
		putInt(d, int64(len(e.Path)))
		d.Write([]byte(e.Path))
		putInt(d, e.Size)
		kind := int64(0)
		if e.Mode.IsDir() {
			kind = 1
		}
		putInt(d, kind)
		if e.ModTime.IsZero() {
			putInt(d, math.MinInt64)
			putInt(d, 0)
		} else {
			putInt(d, e.ModTime.Unix())
			putInt(d, int64(e.ModTime.Nanosecond()))
		}
	}
	d.Sum(h[:0])
	return h
}

func putInt(d hash.Hash, n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	d.Write(b[:])
}
