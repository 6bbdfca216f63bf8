package pipeline

import (
	"io/fs"
	"path"
	"time"
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
		Sender    string  `json:"sender,omitempty"`  // one process's try; with Attempt it orders offers
		Attempt   uint32  `json:"attempt,omitempty"` // the sender's offers are counted
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
