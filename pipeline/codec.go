package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// A control message by its name on the wire.
var (
	fromReceiver = map[string]func() message{
		"hello":    func() message { return new(helloR) },
		"accept":   func() message { return new(accept) },
		"held":     func() message { return new(held) },
		"ack":      func() message { return new(ack) },
		"resend":   func() message { return new(resend) },
		"renamed":  func() message { return new(renamed) },
		"complete": func() message { return new(complete) },
		"cancel":   func() message { return new(cancel) },
		"error":    func() message { return new(failure) },
		"ping":     func() message { return new(ping) },
		"pong":     func() message { return new(pong) },
	}
	fromSender = map[string]func() message{
		"hello":   func() message { return new(helloS) },
		"offer":   func() message { return new(offer) },
		"entries": func() message { return new(entries) },
		"join":    func() message { return new(join) },
		"block":   func() message { return new(block) },
		"hashes":  func() message { return new(hashes) },
		"done":    func() message { return new(done) },
		"cancel":  func() message { return new(cancel) },
		"error":   func() message { return new(failure) },
		"ping":    func() message { return new(ping) },
		"pong":    func() message { return new(pong) },
	}
)

// message is a control message.
type message interface{ kind() string }

func (*helloR) kind() string   { return "hello" }
func (*helloS) kind() string   { return "hello" }
func (*offer) kind() string    { return "offer" }
func (*entries) kind() string  { return "entries" }
func (*join) kind() string     { return "join" }
func (*accept) kind() string   { return "accept" }
func (*held) kind() string     { return "held" }
func (*block) kind() string    { return "block" }
func (*hashes) kind() string   { return "hashes" }
func (*ack) kind() string      { return "ack" }
func (*resend) kind() string   { return "resend" }
func (*done) kind() string     { return "done" }
func (*renamed) kind() string  { return "renamed" }
func (*complete) kind() string { return "complete" }
func (*cancel) kind() string   { return "cancel" }
func (*failure) kind() string  { return "error" }
func (*ping) kind() string     { return "ping" }
func (*pong) kind() string     { return "pong" }

// encode writes a control message.
func encode(m message) string {
	body, err := json.Marshal(m)
	if err != nil {
		panic("pipeline: control message cannot be written: " + err.Error()) // none of the types can fail
	}
	head := `{"type":"` + m.kind() + `"`
	if len(body) > len("{}") {
		head += ","
	}
	return head + string(body[1:])
}

// decode reads a control message of one of the kinds. It returns nil for a
// type that is not known, which a later minor version may have added.
//
// Errors match [ErrProtocol].
func decode(data []byte, kinds map[string]func() message) (message, error) {
	if len(data) > maxControlIn {
		return nil, protocolError("control message of %d bytes, at most %d", len(data), maxControlIn)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, protocolError("control message: %w", jsonError(err))
	}
	blank, ok := kinds[head.Type]
	if !ok {
		if head.Type == "" {
			return nil, protocolError("control message without a type")
		}
		return nil, nil
	}
	m := blank()
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
	case len(m.Sender) > 64:
		return errors.New("sender of more than 64 bytes")
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
