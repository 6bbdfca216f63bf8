package chunker

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzParseUpload(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, UploadHeaderSize))
	f.Add(AppendUpload(nil, UploadHeader{Index: 258, Total: 66051}, []byte{0xaa}))
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, payload, err := ParseUpload(msg)
		if err == nil {
			if h.Index >= h.Total {
				t.Fatalf("accepted index %d of %d", h.Index, h.Total)
			}
			if got := AppendUpload(nil, h, payload); !bytes.Equal(got, msg) {
				t.Fatalf("%x encodes again as %x", msg, got)
			}
			return
		}
		checkParseError(t, err, msg, UploadHeaderSize)
	})
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, FrameHeaderSize))
	f.Add(AppendFrame(nil, FrameHeader{Frame: 1<<32 - 1, Index: 100, Total: 200}, []byte{1, 2, 3}))
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, payload, err := ParseFrame(msg)
		if err == nil {
			if h.Index >= h.Total {
				t.Fatalf("accepted index %d of %d", h.Index, h.Total)
			}
			if got := AppendFrame(nil, h, payload); !bytes.Equal(got, msg) {
				t.Fatalf("%x encodes again as %x", msg, got)
			}
			return
		}
		checkParseError(t, err, msg, FrameHeaderSize)
	})
}

// checkParseError checks that err fits msg. Both headers end with the total.
func checkParseError(t *testing.T, err error, msg []byte, header int) {
	t.Helper()
	want := ErrTooShort
	if len(msg) >= header {
		want = ErrIndexRange
		if bytes.Equal(msg[header-4:header], make([]byte, 4)) {
			want = ErrZeroTotal
		}
	}
	if !errors.Is(err, want) {
		t.Fatalf("%x: %v, want %v", msg, err, want)
	}
}

// headerFault returns the sentinel that a parse error wraps.
func headerFault(err error) error {
	for _, fault := range []error{ErrTooShort, ErrZeroTotal, ErrIndexRange} {
		if errors.Is(err, fault) {
			return fault
		}
	}
	return err
}
