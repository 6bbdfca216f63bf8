package chunker

import "hash/maphash"

// sums remembers which chunks have arrived, by a checksum of 4 bytes each, in
// pages that exist only where one has.
type sums struct {
	seed  maphash.Seed
	pages map[uint32]*[sumsPage]uint32 // 0: not arrived
}

const sumsPage = 1024

func newSums() sums {
	return sums{seed: maphash.MakeSeed(), pages: make(map[uint32]*[sumsPage]uint32)}
}

func (s *sums) of(payload []byte) uint32 {
	return max(1, uint32(maphash.Bytes(s.seed, payload)))
}

func (s *sums) set(i uint32, payload []byte) {
	page := s.pages[i/sumsPage]
	if page == nil {
		page = new([sumsPage]uint32)
		s.pages[i/sumsPage] = page
	}
	page[i%sumsPage] = s.of(payload)
}

// find returns the first chunk from i on, below end, that has arrived or has
// not; end if there is none.
func (s *sums) find(arrived bool, i, end uint32) uint32 {
	for i < end {
		page, stop := s.pages[i/sumsPage], min(end-1, i|(sumsPage-1))+1
		switch {
		case page != nil:
			for ; i < stop; i++ {
				if (page[i%sumsPage] != 0) == arrived {
					return i
				}
			}
		case !arrived:
			return i
		}
		i = stop
	}
	return end
}

// compare tells whether chunk i has arrived, and with these bytes.
func (s *sums) compare(i uint32, payload []byte) (same, ok bool) {
	page := s.pages[i/sumsPage]
	if page == nil || page[i%sumsPage] == 0 {
		return false, false
	}
	return page[i%sumsPage] == s.of(payload), true
}

func (s *sums) release() { s.pages = nil }
