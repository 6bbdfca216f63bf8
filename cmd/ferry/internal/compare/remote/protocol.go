package remote

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	chacha "math/rand/v2"
	"time"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/transport"
)

// Label is the name of the channels that are compared.
const Label = "ferry-compare/1"

// Limits of what a client may ask for.
const (
	MaxBytes    = 64 << 30
	MaxDuration = 2 * time.Minute
	MaxChunk    = 1 << 20
)

// What a client may ask for.
const (
	echo = "echo"
	take = "take"
	give = "give"
	talk = "talk"
)

// MinAnswer is the least that an answer has, in bytes: the hash of its request.
const MinAnswer = 32

// answer is what the server answers to a request: its BLAKE3 hash, and then
// Content up to size bytes.
func answer(request []byte, size int) []byte {
	hash := blake3.Sum256(request)
	out := make([]byte, size)
	_, _ = io.ReadFull(Content(), out[copy(out, hash[:]):]) // never fails
	return out
}

// ErrRefused: the server does not take part.
var ErrRefused = errors.New("compare: the server does not take part: it must run as 'ferry serve --allow-compare', and the URL must have its token")

// errProtocol: the other side sent something else than it should.
var errProtocol = errors.New("compare: unexpected message")

type challenge struct {
	Nonce string `json:"nonce"`
}

type request struct {
	Proof        string `json:"proof"`
	Do           string `json:"do"`
	Bytes        int64  `json:"bytes,omitempty"`
	Milliseconds int64  `json:"milliseconds,omitempty"`
	ChunkSize    int    `json:"chunk_size,omitempty"`
	HighWater    int    `json:"high_water,omitempty"`
}

// Report is what the server has received.
type Report struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds,omitempty"` // from the request to the last byte
	BLAKE3  string  `json:"blake3,omitempty"`
	Done    bool    `json:"done,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// Content is what the server gives: an endless stream of incompressible bytes,
// the same each time.
func Content() io.Reader { return chacha.NewChaCha8([32]byte{}) }

func newNonce() string { return rand.Text() }

func proof(token, nonce string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(Label + nonce))
	return hex.EncodeToString(mac.Sum(nil))
}

func sendJSON(ch transport.Channel, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return ch.SendText(string(text))
}

func receiveJSON(ctx context.Context, ch transport.Channel, v any) error {
	m, err := ch.Receive(ctx)
	if err != nil {
		return err
	}
	if !m.Text {
		return errProtocol
	}
	if err := json.Unmarshal(m.Data, v); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	return nil
}
