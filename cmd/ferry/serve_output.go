package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mdp/qrterminal/v3"
	"golang.org/x/term"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
	"github.com/chunkferry/chunkferry/pipeline"
)

// serveOutput prints what ferry serve has to say: lines for people, or one JSON
// object a line.
type serveOutput struct {
	json bool
	dir  string

	mu sync.Mutex
	w  io.Writer
}

// serveEvent is the JSON form of what happens at the receiver. Fields that do
// not apply are left out.
type serveEvent struct {
	Event    string  `json:"event"` // listening, or a pipeline.NoticeKind
	URL      string  `json:"url,omitempty"`
	Transfer string  `json:"transfer,omitempty"` // the first eight digits of its id
	Peer     string  `json:"peer,omitempty"`
	Files    []file  `json:"files,omitempty"`
	Bytes    int64   `json:"bytes,omitempty"`
	Held     int64   `json:"held,omitempty"` // bytes kept from an earlier attempt
	BLAKE3   string  `json:"blake3,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
	Error    string  `json:"error,omitempty"`
	Code     string  `json:"code,omitempty"` // see pipeline.CodeOf
}

type file struct {
	Path string `json:"path"` // as offered
	Name string `json:"name"` // where it is now
}

func (o *serveOutput) listening(url string) {
	if o.json {
		o.encode(serveEvent{Event: "listening", URL: url})
		return
	}
	abs, err := filepath.Abs(o.dir)
	if err != nil {
		abs = o.dir
	}
	o.print("Receiving into %s. Send with:\n\n  ferry send FILE... '%s'\n\n", abs, url)
}

func (o *serveOutput) notice(n pipeline.Notice) {
	id := ""
	if n.Transfer != nil {
		id = n.Transfer.ID[:8]
	}
	if o.json {
		e := serveEvent{Event: string(n.Kind), Transfer: id, Peer: n.Peer, Held: n.Held, Seconds: n.Elapsed.Seconds()}
		if n.Transfer != nil {
			e.Bytes = max(n.Transfer.Size, 0)
		}
		if n.Receipt != nil {
			e.Bytes = n.Receipt.Size
			e.BLAKE3 = n.Receipt.Root.String()
			for _, f := range n.Receipt.Files {
				e.Files = append(e.Files, file(f))
			}
		}
		if n.Err != nil {
			e.Error, e.Code = n.Err.Error(), pipeline.CodeOf(n.Err)
		}
		o.encode(e)
		return
	}
	switch n.Kind {
	case pipeline.NoticeStarted:
		o.print("%s from %s: %s\n", id, n.Peer, contents(n.Transfer))
	case pipeline.NoticeResumed:
		o.print("%s from %s: %s, continued with %s here already\n", id, n.Peer, contents(n.Transfer), size.Bytes(n.Held))
	case pipeline.NoticeCompleted:
		o.print("%s complete: %s in %v, %.1f MB/s, BLAKE3 %s\n", id, size.Bytes(n.Receipt.Size),
			n.Elapsed.Round(time.Millisecond), float64(n.Receipt.Size)/1e6/n.Elapsed.Seconds(), n.Receipt.Root)
	case pipeline.NoticeSuspended:
		o.print("%s suspended: kept until its sender comes back\n", id)
	case pipeline.NoticeRefused:
		o.print("%s refused: %s\n", n.Peer, plain(n.Err))
	case pipeline.NoticeFailed, pipeline.NoticeCanceled:
		o.print("%s %s: %s\n", id, n.Kind, plain(n.Err))
	}
}

// printQR prints text as a QR code, unless the terminal would break its lines.
func printQR(w io.Writer, text string) {
	var code bytes.Buffer
	qrterminal.GenerateHalfBlock(text, qrterminal.L, &code)
	first, _, _ := bytes.Cut(code.Bytes(), []byte("\n"))
	needed := utf8.RuneCount(first)
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns < needed {
			fmt.Fprintf(w, "The QR code needs %d columns; this terminal has %d.\n", needed, columns)
			return
		}
	}
	_, _ = w.Write(code.Bytes()) // nobody is left to tell
}

// contents names a transfer by its first path and counts the rest.
func contents(m *pipeline.Manifest) string {
	what := fmt.Sprintf("%q", m.Entries[0].Path)
	if n := len(m.Entries) - 1; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	if m.Size >= 0 {
		what += ", " + size.Bytes(m.Size).String()
	}
	return what
}

func (o *serveOutput) print(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(o.w, format, args...)
}

func (o *serveOutput) encode(e serveEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := json.NewEncoder(o.w)
	out.SetEscapeHTML(false) // URLs stay readable
	_ = out.Encode(e)        // nobody is left to tell when stdout is gone
}
