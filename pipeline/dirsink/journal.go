package dirsink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/chunkferry/chunkferry/pipeline"
)

// The journal is a file of a header and of records of one size, little-endian,
// which are only ever appended:
//
//	header  magic "ferryjn1", transfer id [16], manifest digest [32], nonce [8], crc u32
//	record  block u32, length u32, hash [32], crc u32
//
// The checksums are CRC-32C. That of a record continues that of the header, so
// a record of another journal does not fit. A later record of a block replaces
// an earlier one. A record is written after its block: what it says is a claim
// that is checked against the data before it counts.
const (
	journalMagic = "ferryjn1"
	headerSize   = len(journalMagic) + 16 + 32 + 8 + 4
	recordSize   = 4 + 4 + 32 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journalHeader says what a journal belongs to.
type journalHeader struct {
	id     [16]byte
	digest pipeline.Hash // of the manifest
	nonce  [8]byte       // tells two journals of one transfer apart
}

// record is a journalled block.
type record struct {
	block  uint32
	length uint32 // bytes
	hash   pipeline.Hash
}

var (
	errForeignJournal = errors.New("journal belongs to another transfer; no block is known to be whole")
	errNoJournal      = errors.New("journal is missing or its header is damaged; no block is known to be whole")
)

// encode returns the header as it is in the file.
func (h *journalHeader) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, journalMagic...)
	b = append(b, h.id[:]...)
	b = append(b, h.digest[:]...)
	b = append(b, h.nonce[:]...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// seed is what the checksum of a record continues. It leaves out the header's
// own checksum, with which it would be the same for every header.
func (h *journalHeader) seed() uint32 {
	b := h.encode()
	return crc32.Checksum(b[:headerSize-4], castagnoli)
}

// decodeHeader fails with errNoJournal if b is not an intact header.
func decodeHeader(b []byte) (*journalHeader, error) {
	if len(b) < headerSize || string(b[:len(journalMagic)]) != journalMagic {
		return nil, errNoJournal
	}
	sum := headerSize - 4
	if crc32.Checksum(b[:sum], castagnoli) != binary.LittleEndian.Uint32(b[sum:]) {
		return nil, errNoJournal
	}
	h := new(journalHeader)
	b = b[len(journalMagic):]
	b = b[copy(h.id[:], b):]
	b = b[copy(h.digest[:], b):]
	copy(h.nonce[:], b)
	return h, nil
}

// encode returns the record as it is in the file.
func (r *record) encode(seed uint32) (b [recordSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], r.block)
	binary.LittleEndian.PutUint32(b[4:], r.length)
	copy(b[8:], r.hash[:])
	binary.LittleEndian.PutUint32(b[40:], crc32.Update(seed, castagnoli, b[:40]))
	return b
}

// decodeRecord reports whether b is an intact record.
func decodeRecord(b *[recordSize]byte, seed uint32) (r record, ok bool) {
	r.block = binary.LittleEndian.Uint32(b[0:])
	r.length = binary.LittleEndian.Uint32(b[4:])
	copy(r.hash[:], b[8:])
	return r, crc32.Update(seed, castagnoli, b[:40]) == binary.LittleEndian.Uint32(b[40:])
}

// readRecords calls use for every intact record after the header in r, in
// order, and returns what was wrong with the others: one error for all torn
// records and one for a cut end, at most.
func readRecords(r io.Reader, seed uint32, use func(record)) (damage []error, err error) {
	var b [recordSize]byte
	torn, at, first := 0, 0, 0
	for ; ; at++ {
		n, err := io.ReadFull(r, b[:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			damage = append(damage, fmt.Errorf("journal is cut after record %d: %d bytes of the next", at, n))
			break
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return damage, err
		}
		rec, ok := decodeRecord(&b, seed)
		if !ok {
			if torn == 0 {
				first = at
			}
			torn++
			continue
		}
		use(rec)
	}
	if torn > 0 {
		damage = append(damage, fmt.Errorf("journal: %d of %d records are damaged, the first is record %d", torn, at, first))
	}
	return damage, nil
}
