package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
	"unicode/utf8"
)

// Protocol is the name and version of the transfer protocol.
const Protocol = "ferry/1"

// Bounds of the protocol itself, whatever the options.
const (
	maxControl   = 32 << 10 // bytes of a control message that we send
	maxControlIn = 60 << 10 // bytes of one that we accept
	maxText      = 1 << 10  // bytes of a reason or an error's message
	maxPath      = 4 << 10  // bytes of a path
	maxBatch     = 256      // hashes, ranges or names in one message

	minBlockSize = 64 << 10
	maxBlockSize = 16 << 20
	maxBlocks    = 1<<32 - 1 // blocks are numbered by 32 bits
)

// Control messages, each a JSON object in a text message. The comment says
// who sends it: S the sender of the file, R its receiver.
type (
	// helloR opens the conversation. R
	helloR struct {
		Protocols []string `json:"protocols"` // spoken, best first
		Nonce     string   `json:"nonce"`     // for the proof
		Auth      bool     `json:"auth"`      // an access token is required
		Limits    limits   `json:"limits"`
	}

	// limits are what the receiver announces; 0 means none.
	limits struct {
		Size      int64 `json:"size"`       // bytes of a transfer
		Files     int   `json:"files"`      // entries of a transfer
		BlockSize int   `json:"block_size"` // largest, in bytes
		Channels  int   `json:"channels"`   // of one transfer
	}

	// helloS answers it. S
	helloS struct {
		Protocol string `json:"protocol"`        // the one chosen
		Proof    string `json:"proof,omitempty"` // see proof
	}

	// offer begins or continues a transfer. S
	offer struct {
		ID        string  `json:"id"`
		Size      int64   `json:"size"` // -1: not known yet
		BlockSize int     `json:"block_size"`
		Restart   bool    `json:"restart,omitempty"` // forget what is kept of it
		Count     int     `json:"count"`             // of entries in all
		Entries   []entry `json:"entries"`           // the first ones
	}

	// entries follow an offer until Count is reached. S
	entries struct {
		Entries []entry `json:"entries"`
	}

	entry struct {
		Path  string `json:"path"`
		Size  int64  `json:"size"`
		Mode  uint32 `json:"mode"`            // permission bits
		Dir   bool   `json:"dir,omitempty"`   // a directory
		MTime int64  `json:"mtime,omitempty"` // nanoseconds since 1970
	}

	// join adds a channel to a transfer that the receiver knows. S
	join struct {
		ID    string `json:"id"`
		Token string `json:"token"` // from accept
	}

	// accept answers offer and join. R
	accept struct {
		Token  string `json:"token"`  // for join
		Credit int64  `json:"credit"` // unacknowledged bytes allowed on this channel
		Have   ranges `json:"have"`   // blocks not to send
		Check  ranges `json:"check"`  // blocks kept from before: send their hashes
		More   bool   `json:"more,omitempty"`
	}

	// held continues accept while More is set. R
	held struct {
		Have  ranges `json:"have"`
		Check ranges `json:"check"`
		More  bool   `json:"more,omitempty"`
	}

	// block announces a block, whose chunks follow. S
	block struct {
		Block uint32 `json:"block"`
		Size  int    `json:"size"`
		Hash  Hash   `json:"hash"`
	}

	// hashes answer accept.Check. S
	hashes struct {
		From   uint32 `json:"from"`
		Hashes []Hash `json:"hashes"`
	}

	// ack tells how far the receiver is. It comes at least every half second.
	// R
	ack struct {
		Blocks   ranges `json:"blocks,omitempty"`   // verified and written since the last one
		Received int64  `json:"received,omitempty"` // payload bytes on this channel, in all
		Durable  int64  `json:"durable,omitempty"`  // bytes of the transfer that are synced
	}

	// resend names blocks whose bytes do not have their hash. R
	resend struct {
		Blocks ranges `json:"blocks"`
	}

	// done says that every block has been read. S
	done struct {
		Size int64 `json:"size"`
		Root Hash  `json:"root"`
	}

	// renamed lists final names that differ from those offered. R
	renamed struct {
		Names [][2]string `json:"names"`
	}

	// complete is the receipt. R
	complete struct {
		Size  int64 `json:"size"`
		Root  Hash  `json:"root"`
		Files int   `json:"files"`
	}

	// cancel ends a transfer on purpose. S, R
	cancel struct {
		Reason  string `json:"reason"`
		Discard bool   `json:"discard,omitempty"` // forget what has arrived
	}

	// failure ends a transfer or a channel. S, R
	failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Path    string `json:"path,omitempty"`
	}

	// ping shows life; with an ID it wants a pong. S, R
	ping struct {
		ID uint32 `json:"id,omitempty"`
	}
	pong struct {
		ID uint32 `json:"id"`
	}
)

// A control message by its name on the wire.
var (
	fromReceiver = map[string]func() any{
		"hello":    func() any { return new(helloR) },
		"accept":   func() any { return new(accept) },
		"held":     func() any { return new(held) },
		"ack":      func() any { return new(ack) },
		"resend":   func() any { return new(resend) },
		"renamed":  func() any { return new(renamed) },
		"complete": func() any { return new(complete) },
		"cancel":   func() any { return new(cancel) },
		"error":    func() any { return new(failure) },
		"ping":     func() any { return new(ping) },
		"pong":     func() any { return new(pong) },
	}
	fromSender = map[string]func() any{
		"hello":   func() any { return new(helloS) },
		"offer":   func() any { return new(offer) },
		"entries": func() any { return new(entries) },
		"join":    func() any { return new(join) },
		"block":   func() any { return new(block) },
		"hashes":  func() any { return new(hashes) },
		"done":    func() any { return new(done) },
		"cancel":  func() any { return new(cancel) },
		"error":   func() any { return new(failure) },
		"ping":    func() any { return new(ping) },
		"pong":    func() any { return new(pong) },
	}
)

// encode writes a control message.
func encode(m any) string {
	var name string
	switch m.(type) {
	case *helloR, *helloS:
		name = "hello"
	case *offer:
		name = "offer"
	case *entries:
		name = "entries"
	case *join:
		name = "join"
	case *accept:
		name = "accept"
	case *held:
		name = "held"
	case *block:
		name = "block"
	case *hashes:
		name = "hashes"
	case *ack:
		name = "ack"
	case *resend:
		name = "resend"
	case *done:
		name = "done"
	case *renamed:
		name = "renamed"
	case *complete:
		name = "complete"
	case *cancel:
		name = "cancel"
	case *failure:
		name = "error"
	case *ping:
		name = "ping"
	case *pong:
		name = "pong"
	}
	body, err := json.Marshal(m)
	if err != nil { // no type above can fail
		return `{"type":"ping"}`
	}
	head := `{"type":"` + name + `"`
	if len(body) > len("{}") {
		head += ","
	}
	return head + string(body[1:])
}

// decode reads a control message of one of the kinds. It returns nil for a
// type that is not known, which a later minor version may have added.
//
// Errors match [ErrProtocol].
func decode(data []byte, kinds map[string]func() any) (any, error) {
	if len(data) > maxControlIn {
		return nil, protocolError("control message of %d bytes, at most %d", len(data), maxControlIn)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, protocolError("control message: %w", jsonError(err))
	}
	make, ok := kinds[head.Type]
	if !ok {
		if head.Type == "" {
			return nil, protocolError("control message without a type")
		}
		return nil, nil
	}
	m := make()
	err := json.Unmarshal(data, m)
	if err == nil {
		if c, ok := m.(interface{ check() error }); ok {
			err = c.check()
		}
	}
	if err != nil {
		return nil, protocolError("%s message: %w", head.Type, jsonError(err))
	}
	return m, nil
}

// jsonError shortens what encoding/json says, which may quote the peer's
// input at length.
func jsonError(err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errors.New("not JSON")
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("field %q has a value of the wrong kind", clip(e.Field))
	}
	return err
}

// clip bounds text that comes from the peer or goes to it.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

func (m *offer) check() error {
	switch {
	case !validID(m.ID):
		return errors.New("id is not 32 lower-case hexadecimal digits")
	case m.BlockSize < minBlockSize || m.BlockSize > maxBlockSize || m.BlockSize&(m.BlockSize-1) != 0:
		return fmt.Errorf("block size %d is not a power of two from %d to %d", m.BlockSize, minBlockSize, maxBlockSize)
	case m.Size < -1 || m.Size/int64(m.BlockSize) >= maxBlocks:
		return fmt.Errorf("size %d out of range", m.Size)
	case m.Count < 1 || len(m.Entries) > m.Count:
		return fmt.Errorf("count %d with %d entries", m.Count, len(m.Entries))
	}
	return nil
}

func (m *join) check() error {
	if !validID(m.ID) {
		return errors.New("id is not 32 lower-case hexadecimal digits")
	}
	return nil
}

func (m *block) check() error {
	if m.Size < 1 || m.Size > maxBlockSize {
		return fmt.Errorf("size %d out of range", m.Size)
	}
	return nil
}

func (m *hashes) check() error {
	if len(m.Hashes) > maxBatch || uint64(m.From)+uint64(len(m.Hashes)) > maxBlocks {
		return fmt.Errorf("%d hashes from block %d", len(m.Hashes), m.From)
	}
	return nil
}

func (m *done) check() error {
	if m.Size < 0 {
		return fmt.Errorf("size %d out of range", m.Size)
	}
	return nil
}

func (m *accept) check() error {
	switch {
	case len(m.Token) > maxText:
		return errors.New("token too long")
	case m.Credit < 0:
		return fmt.Errorf("credit %d out of range", m.Credit)
	}
	return errors.Join(m.Have.check(), m.Check.check())
}

func (m *held) check() error   { return errors.Join(m.Have.check(), m.Check.check()) }
func (m *resend) check() error { return m.Blocks.check() }

func (m *ack) check() error {
	if m.Received < 0 || m.Durable < 0 {
		return errors.New("negative count")
	}
	return m.Blocks.check()
}

func (m *complete) check() error {
	if m.Size < 0 || m.Files < 0 {
		return errors.New("negative count")
	}
	return nil
}

func validID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// toEntry checks what one entry says by itself.
func (e *entry) toEntry() (Entry, error) {
	switch {
	case len(e.Path) > maxPath || !fs.ValidPath(e.Path) || e.Path == "." || path.Clean(e.Path) != e.Path:
		return Entry{}, &EntryError{Path: clip(e.Path), Err: ErrName}
	case e.Size < -1 || e.Dir && e.Size != 0:
		return Entry{}, protocolError("entry %q has size %d", clip(e.Path), e.Size)
	}
	out := Entry{Path: e.Path, Size: e.Size, Mode: fs.FileMode(e.Mode) & fs.ModePerm}
	if e.Dir {
		out.Mode |= fs.ModeDir
	}
	if e.MTime != 0 {
		out.ModTime = time.Unix(0, e.MTime).UTC()
	}
	return out, nil
}

func fromEntry(e Entry) entry {
	out := entry{Path: e.Path, Size: e.Size, Mode: uint32(e.Mode.Perm()), Dir: e.Mode.IsDir()}
	if !e.ModTime.IsZero() {
		out.MTime = e.ModTime.UnixNano()
	}
	return out
}
