package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether a person is likely to read what is written to a
// stream, or to type what is read from it.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
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
