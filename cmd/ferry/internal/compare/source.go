package compare

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"lukechampine.com/blake3"
)

// digest is the BLAKE3 hash of a content.
type digest [32]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

func newHash() hash.Hash { return blake3.New(32, nil) }

func sum(h hash.Hash) (d digest) {
	h.Sum(d[:0])
	return d
}

// source is the file every run sends, with what the receiver must end up with.
type source struct {
	file  *os.File
	size  int64
	known map[section]digest
}

// section is a part of the file.
type section struct{ offset, size int64 }

func openSource(path string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("compare: %s is not a regular file", path), err, f.Close())
	}
	return &source{file: f, size: info.Size(), known: map[section]digest{}}, nil
}

// share is the part of the file that flow i of n carries.
func (s *source) share(i, n int) section {
	from, to := s.size*int64(i)/int64(n), s.size*int64(i+1)/int64(n)
	return section{from, to - from}
}

func (s *source) reader(part section) io.Reader {
	return io.NewSectionReader(s.file, part.offset, part.size)
}

// hash is that of a part of the file. Those of whole shares are kept.
func (s *source) hash(part section, keep bool) (digest, error) {
	if d, ok := s.known[part]; ok {
		return d, nil
	}
	h := newHash()
	n, err := io.Copy(h, s.reader(part))
	if err == nil && n != part.size {
		err = fmt.Errorf("compare: %s shrank while it was compared", s.file.Name())
	}
	if err == nil && keep {
		s.known[part] = sum(h)
	}
	return sum(h), err
}
