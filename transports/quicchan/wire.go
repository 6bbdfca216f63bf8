package quicchan

import (
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/chunkferry/chunkferry/transport"
)

// The preamble; see the tables in the package comment.
const (
	magic        = "CKFY"
	wireVersion  = 1
	preambleSize = len(magic) + 2 // and the label
)

// MaxLabel is the longest label, in bytes.
const MaxLabel = 255

// frameHeaderSize is what precedes each payload.
const frameHeaderSize = 5

// The kinds of frames.
const (
	kindBinary  = 1
	kindText    = 2
	kindHalfEnd = 3
	kindEnd     = 4
	kindNotice  = 5
)

func appendPreamble(b []byte, label string) []byte {
	b = append(b, magic...)
	b = append(b, wireVersion, byte(len(label)))
	return append(b, label...)
}

// readPreamble reads no byte beyond the preamble.
func readPreamble(r io.Reader) (label string, err error) {
	var head [preambleSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", truncated(err)
	}
	if string(head[:len(magic)]) != magic {
		return "", fmt.Errorf("%w: stream begins with %q, not with a preamble", ErrProtocol, head[:len(magic)])
	}
	if v := head[len(magic)]; v != wireVersion {
		return "", &VersionError{Version: int(v)}
	}
	text := make([]byte, head[len(magic)+1])
	if _, err := io.ReadFull(r, text); err != nil {
		return "", truncated(err)
	}
	if !utf8.Valid(text) {
		return "", fmt.Errorf("%w: label %q is not valid UTF-8", ErrProtocol, text)
	}
	return string(text), nil
}

func putFrameHeader(b []byte, kind byte, length int) {
	b[0] = kind
	binary.LittleEndian.PutUint32(b[1:frameHeaderSize], uint32(length))
}

// parseFrameHeader checks the length against limit before anybody allocates.
func parseFrameHeader(b []byte, limit int) (kind byte, length int, err error) {
	kind = b[0]
	size := binary.LittleEndian.Uint32(b[1:frameHeaderSize])
	switch kind {
	case kindBinary, kindText:
		if uint64(size) > uint64(limit) {
			return 0, 0, fmt.Errorf("%w: %w", ErrOversize, &transport.SizeError{Size: int(size), Limit: limit})
		}
	case kindHalfEnd, kindEnd, kindNotice:
		if size != 0 {
			return 0, 0, fmt.Errorf("%w: frame of kind %d with a length of %d", ErrProtocol, kind, size)
		}
	default:
		return 0, 0, fmt.Errorf("%w: unknown frame kind %d", ErrProtocol, kind)
	}
	return kind, int(size), nil
}
