package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether a person is likely to read w as it is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// status is a line on standard error that replaces itself. It is silent where
// nobody watches.
type status struct{ w io.Writer }

func newStatus(w io.Writer) status {
	if isTerminal(w) {
		return status{w}
	}
	return status{io.Discard}
}

func (s status) line(text string) { fmt.Fprintf(s.w, "\r\x1b[K%s", text) }
func (s status) clear()           { fmt.Fprint(s.w, "\r\x1b[K") }
