package chunker

import (
	"encoding/binary"
	"fmt"
)

// Sizes on the wire, in bytes.
const (
	// DefaultChunkSize is the payload of every chunk but the last. With
	// either header it fits every transport's smallest message limit
	// ([transport.MessageSizeFloor]), and it is what the Python and
	// JavaScript peers send.
	DefaultChunkSize = 49152

	UploadHeaderSize = 8  // index, total
	FrameHeaderSize  = 12 // frame, index, total
)

// UploadHeader begins every message of an upload: two little-endian uint32.
type UploadHeader struct {
	Index uint32 // which chunk, from 0
	Total uint32 // chunks in the file, at least 1
}

// FrameHeader begins every message of a frame: three little-endian uint32.
type FrameHeader struct {
	Frame uint32 // which frame; ids may wrap
	Index uint32 // which chunk of it, from 0
	Total uint32 // chunks in the frame, at least 1
}

// AppendUpload appends the message of one upload chunk to dst.
func AppendUpload(dst []byte, h UploadHeader, payload []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, h.Index)
	dst = binary.LittleEndian.AppendUint32(dst, h.Total)
	return append(dst, payload...)
}

// ParseUpload splits an upload message. The payload, which may be empty,
// aliases msg.
//
// Errors: [ErrTooShort], [ErrZeroTotal], [ErrIndexRange].
func ParseUpload(msg []byte) (h UploadHeader, payload []byte, err error) {
	if len(msg) < UploadHeaderSize {
		return h, nil, tooShort(msg, UploadHeaderSize)
	}
	h.Index = binary.LittleEndian.Uint32(msg)
	h.Total = binary.LittleEndian.Uint32(msg[4:])
	if err := checkPosition(h.Index, h.Total); err != nil {
		return h, nil, h.fail(err)
	}
	return h, msg[UploadHeaderSize:], nil
}

// AppendFrame appends the message of one frame chunk to dst.
func AppendFrame(dst []byte, h FrameHeader, payload []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, h.Frame)
	dst = binary.LittleEndian.AppendUint32(dst, h.Index)
	dst = binary.LittleEndian.AppendUint32(dst, h.Total)
	return append(dst, payload...)
}

// ParseFrame splits a frame message. The payload, which may be empty, aliases
// msg.
//
// Errors: [ErrTooShort], [ErrZeroTotal], [ErrIndexRange].
func ParseFrame(msg []byte) (h FrameHeader, payload []byte, err error) {
	if len(msg) < FrameHeaderSize {
		return h, nil, tooShort(msg, FrameHeaderSize)
	}
	h.Frame = binary.LittleEndian.Uint32(msg)
	h.Index = binary.LittleEndian.Uint32(msg[4:])
	h.Total = binary.LittleEndian.Uint32(msg[8:])
	if err := checkPosition(h.Index, h.Total); err != nil {
		return h, nil, h.fail(err)
	}
	return h, msg[FrameHeaderSize:], nil
}

// IsKeepAlive reports whether msg is a keep-alive: 0 or 1 byte, shorter than
// any header. A receiver of uploads echoes it unchanged and counts it as
// nothing.
func IsKeepAlive(msg []byte) bool { return len(msg) <= 1 }

func checkPosition(index, total uint32) error {
	switch {
	case total == 0:
		return ErrZeroTotal
	case index >= total:
		return ErrIndexRange
	}
	return nil
}

func tooShort(msg []byte, need int) error {
	return fmt.Errorf("%w: %d bytes, the header alone has %d", ErrTooShort, len(msg), need)
}

func (h UploadHeader) last() bool { return h.Index == h.Total-1 }

// fail locates err at the chunk.
func (h UploadHeader) fail(err error) error {
	return &ChunkError{Index: h.Index, Total: h.Total, Err: err}
}

// fail locates err at the chunk.
func (h FrameHeader) fail(err error) error {
	return &ChunkError{Framed: true, Frame: h.Frame, Index: h.Index, Total: h.Total, Err: err}
}
