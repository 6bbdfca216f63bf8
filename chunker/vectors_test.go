package chunker_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chunkferry/chunkferry/chunker"
)

// The vectors are shared with implementations in other languages; their
// "expect" words are these errors, one for one.
var expected = map[string]error{
	"pending":            nil,
	"too short":          chunker.ErrTooShort,
	"zero total":         chunker.ErrZeroTotal,
	"index out of range": chunker.ErrIndexRange,
	"total mismatch":     chunker.ErrTotalMismatch,
	"size mismatch":      chunker.ErrSizeMismatch,
	"duplicate":          chunker.ErrDuplicate,
	"conflict":           chunker.ErrConflict,
	"late":               chunker.ErrLate,
}

type vectors struct {
	Messages []struct {
		ID                  string
		Frame, Index, Total uint32
		Payload, Message    hexBytes
	}
	BadMessages []struct {
		ID      string
		Message hexBytes
		Expect  string
	} `json:"bad_messages"`
	Files []struct {
		ChunkSize      int        `json:"chunk_size"`
		Content        *hexBytes  // or the rule
		ContentRule    string     `json:"content_rule"`
		ContentSHA256  hexBytes   `json:"content_sha256"`
		Messages       []hexBytes // or lengths and hashes
		MessageLengths []int      `json:"message_lengths"`
		MessageSHA256  []hexBytes `json:"message_sha256"`
	}
	Sequences []struct {
		Name     string
		Messages []hexBytes
		Expect   []string
		Content  hexBytes            // upload
		Payloads map[string]hexBytes // frame
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func loadVectors(t *testing.T, name string) vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Messages) == 0 || len(v.BadMessages) == 0 || len(v.Sequences) == 0 {
		t.Fatalf("%s lacks a section", name)
	}
	return v
}

// wantErr returns the error that the vectors' word stands for.
func wantErr(t *testing.T, word string) error {
	t.Helper()
	err, ok := expected[word]
	if !ok {
		t.Fatalf("vectors expect %q, which no error stands for", word)
	}
	return err
}

func TestVectorsUploadMessages(t *testing.T) {
	v := loadVectors(t, "upload.json")
	for _, m := range v.Messages {
		t.Run(m.ID, func(t *testing.T) {
			want := chunker.UploadHeader{Index: m.Index, Total: m.Total}
			if got := chunker.AppendUpload(nil, want, m.Payload); !bytes.Equal(got, m.Message) {
				t.Errorf("AppendUpload = %x, want %x", got, m.Message)
			}
			h, payload, err := chunker.ParseUpload(m.Message)
			if err != nil || h != want || !bytes.Equal(payload, m.Payload) {
				t.Errorf("ParseUpload = %+v, %x, %v, want %+v, %x", h, payload, err, want, m.Payload)
			}
		})
	}
	for _, m := range v.BadMessages {
		t.Run(m.ID, func(t *testing.T) {
			if _, _, err := chunker.ParseUpload(m.Message); !errors.Is(err, wantErr(t, m.Expect)) {
				t.Errorf("ParseUpload = %v, want %s", err, m.Expect)
			}
		})
	}
}

func TestVectorsFrameMessages(t *testing.T) {
	v := loadVectors(t, "frame.json")
	for _, m := range v.Messages {
		t.Run(m.ID, func(t *testing.T) {
			want := chunker.FrameHeader{Frame: m.Frame, Index: m.Index, Total: m.Total}
			if got := chunker.AppendFrame(nil, want, m.Payload); !bytes.Equal(got, m.Message) {
				t.Errorf("AppendFrame = %x, want %x", got, m.Message)
			}
			h, payload, err := chunker.ParseFrame(m.Message)
			if err != nil || h != want || !bytes.Equal(payload, m.Payload) {
				t.Errorf("ParseFrame = %+v, %x, %v, want %+v, %x", h, payload, err, want, m.Payload)
			}
		})
	}
	for _, m := range v.BadMessages {
		t.Run(m.ID, func(t *testing.T) {
			if _, _, err := chunker.ParseFrame(m.Message); !errors.Is(err, wantErr(t, m.Expect)) {
				t.Errorf("ParseFrame = %v, want %s", err, m.Expect)
			}
		})
	}
}

// TestVectorsFiles checks what an Uploader puts on the channel, and that a
// FileAssembler makes the same file of it.
func TestVectorsFiles(t *testing.T) {
	v := loadVectors(t, "upload.json")
	for _, f := range v.Files {
		var content []byte
		switch {
		case f.Content != nil:
			content = *f.Content
		case f.ContentRule == "100000 bytes, byte i is i mod 251":
			content = pattern(100000)
			if sum := sha256.Sum256(content); !bytes.Equal(sum[:], f.ContentSHA256) {
				t.Fatalf("content hash %x, want %x", sum, f.ContentSHA256)
			}
		default:
			t.Fatalf("unknown content rule %q", f.ContentRule)
		}
		t.Run(fmt.Sprintf("size=%d/chunk=%d", len(content), f.ChunkSize), func(t *testing.T) {
			var ch recorder
			u, err := chunker.NewUploader(&ch, bytes.NewReader(content), int64(len(content)),
				&chunker.UploaderOptions{ChunkSize: f.ChunkSize})
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Upload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := max(len(f.Messages), len(f.MessageLengths)); len(ch.msgs) != want {
				t.Fatalf("%d messages, want %d", len(ch.msgs), want)
			}
			for i, m := range f.Messages {
				if !bytes.Equal(ch.msgs[i], m) {
					t.Errorf("message %d is %x, want %x", i, ch.msgs[i], m)
				}
			}
			for i, n := range f.MessageLengths {
				if sum := sha256.Sum256(ch.msgs[i]); len(ch.msgs[i]) != n || !bytes.Equal(sum[:], f.MessageSHA256[i]) {
					t.Errorf("message %d: %d bytes, hash %x; want %d, %x", i, len(ch.msgs[i]), sum, n, f.MessageSHA256[i])
				}
			}
			var got memFile
			assembleAll(t, &got, ch.msgs)
			if !bytes.Equal(got.data, content) {
				t.Error("assembled file differs")
			}
		})
	}
}

func TestVectorsUploadSequences(t *testing.T) {
	for _, s := range loadVectors(t, "upload.json").Sequences {
		t.Run(s.Name, func(t *testing.T) {
			var f memFile
			a, err := chunker.NewFileAssembler(&f, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range s.Messages {
				complete, err := a.Add(m)
				if s.Expect[i] == "complete" {
					if err != nil || !complete {
						t.Errorf("message %d: complete %v, %v, want complete", i, complete, err)
					}
				} else if complete || !errors.Is(err, wantErr(t, s.Expect[i])) {
					t.Errorf("message %d: complete %v, %v, want %s", i, complete, err, s.Expect[i])
				}
			}
			if !a.Complete() || !bytes.Equal(f.data, s.Content) {
				t.Errorf("complete %v, content %x, want %x", a.Complete(), f.data, s.Content)
			}
		})
	}
}

func TestVectorsFrameSequences(t *testing.T) {
	for _, s := range loadVectors(t, "frame.json").Sequences {
		t.Run(s.Name, func(t *testing.T) {
			r := chunker.NewReassembler(nil)
			got := make(map[string]hexBytes)
			for i, m := range s.Messages {
				f, complete, err := r.Add(m)
				if complete {
					if want := "complete " + strconv.FormatUint(uint64(f.ID), 10); s.Expect[i] != want {
						t.Errorf("message %d: %s, want %s", i, want, s.Expect[i])
					}
					got[strconv.FormatUint(uint64(f.ID), 10)] = bytes.Clone(f.Payload)
				} else if !errors.Is(err, wantErr(t, s.Expect[i])) {
					t.Errorf("message %d: %v, want %s", i, err, s.Expect[i])
				}
			}
			for id, want := range s.Payloads {
				if !bytes.Equal(got[id], want) {
					t.Errorf("frame %s is %x, want %x", id, got[id], want)
				}
			}
			if len(got) != len(s.Payloads) {
				t.Errorf("%d frames, want %d", len(got), len(s.Payloads))
			}
		})
	}
}

// TestVectorsNotes checks what the vectors say in words.
func TestVectorsNotes(t *testing.T) {
	for _, msg := range [][]byte{{}, {0}, {0xff}} {
		if !chunker.IsKeepAlive(msg) {
			t.Errorf("%x is a keep-alive", msg)
		}
	}
	if chunker.IsKeepAlive([]byte{0, 0}) {
		t.Error("two bytes are no keep-alive")
	}
}
