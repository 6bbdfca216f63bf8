package pipeline

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vector is a control message as it must be written and read.
type vector struct {
	Name string          `json:"name"`
	From string          `json:"from"` // sender or receiver
	Text json.RawMessage `json:"text"` // the message
}

// refusal is a control message that must not be accepted.
type refusal struct {
	Name string `json:"name"`
	From string `json:"from"`
	Text string `json:"text"`
}

// proofVector was made with another implementation of HMAC.
type proofVector struct{ Token, Nonce, Proof string }

func vectors(t testing.TB) (good []vector, bad []refusal, proofs []proofVector) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "control.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Messages []vector  `json:"messages"`
		Refused  []refusal `json:"refused"`
		Proofs   []proofVector
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all.Messages, all.Refused, all.Proofs
}

func direction(from string) map[string]func() message {
	if from == "sender" {
		return fromSender
	}
	return fromReceiver
}

// TestVectors reads every message and writes it again, to the byte.
func TestVectors(t *testing.T) {
	good, bad, proofs := vectors(t)
	covered := map[string]bool{}
	for _, v := range good {
		m, err := decode(v.Text, direction(v.From))
		if err != nil || m == nil {
			t.Errorf("%s: %v, %v", v.Name, m, err)
			continue
		}
		covered[v.From+" "+m.kind()] = true
		var want strings.Builder
		if err := json.NewEncoder(&want).Encode(v.Text); err != nil { // without white space
			t.Fatal(err)
		}
		if got := encode(m); got != strings.TrimSpace(want.String()) {
			t.Errorf("%s: written as\n%s, want\n%s", v.Name, got, want.String())
		}
	}
	for from, kinds := range map[string]map[string]func() message{"sender": fromSender, "receiver": fromReceiver} {
		for kind := range kinds {
			if !covered[from+" "+kind] {
				t.Errorf("no vector for %s of the %s", kind, from)
			}
		}
	}
	for _, v := range bad {
		if m, err := decode([]byte(v.Text), direction(v.From)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, %v", v.Name, m, err)
		}
	}
	for _, v := range proofs {
		if got := proof(v.Token, v.Nonce); got != v.Proof {
			t.Errorf("proof of %q for %q is %s, want %s", v.Token, v.Nonce, got, v.Proof)
		}
	}
}

// TestUnknownIgnored is what lets later versions add to the protocol.
func TestUnknownIgnored(t *testing.T) {
	m, err := decode([]byte(`{"type":"done","size":5,"later":{"a":[1]},"root":"`+strings.Repeat("ab", 32)+`"}`), fromSender)
	if d, ok := m.(*done); err != nil || !ok || d.Size != 5 {
		t.Errorf("unknown field: %v, %v", m, err)
	}
	if m, err := decode([]byte(`{"type":"later","size":"x"}`), fromSender); m != nil || err != nil {
		t.Errorf("unknown type: %v, %v", m, err)
	}
}

func FuzzControl(f *testing.F) {
	good, bad, _ := vectors(f)
	for _, v := range good {
		f.Add([]byte(v.Text))
	}
	for _, v := range bad {
		f.Add([]byte(v.Text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kinds := range []map[string]func() message{fromSender, fromReceiver} {
			m, err := decode(data, kinds)
			if err != nil {
				if !errors.Is(err, ErrProtocol) || m != nil {
					t.Fatalf("%q: %v, %v", data, m, err)
				}
				if len(err.Error()) > 4*maxText {
					t.Fatalf("error of %d bytes", len(err.Error()))
				}
				continue
			}
			if m == nil {
				continue
			}
			text := encode(m)
			again, err := decode([]byte(text), kinds)
			if len(text) > maxControlIn {
				continue // escapes made it longer than it was
			}
			if err != nil || encode(again) != text || reflect.TypeOf(again) != reflect.TypeOf(m) {
				t.Fatalf("%q is written as %q, read as %v, %v", data, text, again, err)
			}
		}
	})
}
