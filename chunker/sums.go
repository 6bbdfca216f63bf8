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

func (s *sums) has(i uint32) bool {
	page := s.pages[i/sumsPage]
	return page != nil && page[i%sumsPage] != 0
}

// compare tells whether chunk i has arrived, and with these bytes.
func (s *sums) compare(i uint32, payload []byte) (same, ok bool) {
	if !s.has(i) {
		return false, false
	}
	return s.pages[i/sumsPage][i%sumsPage] == s.of(payload), true
}

func (s *sums) release() { s.pages = nil }
