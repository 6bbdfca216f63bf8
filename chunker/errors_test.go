package chunker_test

import (
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

func TestErrorsMatchStandard(t *testing.T) {
	for _, tt := range []struct{ err, standard error }{
		{chunker.ErrIncomplete, io.ErrUnexpectedEOF},
		{chunker.ErrInvalid, fs.ErrInvalid},
		{chunker.ErrUnreliable, transport.ErrUnsupported},
		{chunker.ErrUnreliable, errors.ErrUnsupported},
	} {
		if !errors.Is(tt.err, tt.standard) {
			t.Errorf("%v does not match %v", tt.err, tt.standard)
		}
	}
}

func TestChunkErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&chunker.ChunkError{Index: 7, Total: 20, Err: chunker.ErrDuplicate}, "chunker: chunk 7 of 20: duplicate chunk"},
		{&chunker.ChunkError{Framed: true, Frame: 3, Total: 1, Err: transport.ErrNotOpen},
			"chunker: frame 3, chunk 0 of 1: transport: channel not open yet"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("text %q, want %q", got, tt.want)
		}
	}
}
