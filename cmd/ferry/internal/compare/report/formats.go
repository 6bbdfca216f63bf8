package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// A Format is a form of the report that Write knows.
type Format string

// The formats.
const (
	JSON  Format = "json"  // result.Report, see result.Schema
	CSV   Format = "csv"   // one row a run
	Bench Format = "bench" // Go benchmark results, for benchstat
	HTML  Format = "html"  // one page that needs nothing else
)

var writers = map[Format]func(io.Writer, *result.Report) error{
	JSON:  func(w io.Writer, r *result.Report) error { return r.WriteJSON(w) },
	CSV:   writeCSV,
	Bench: writeBench,
	HTML:  writeHTML,
}

// Formats returns the names that Write takes, in alphabetical order.
func Formats() []string {
	var names []string
	for f := range writers {
		names = append(names, string(f))
	}
	slices.Sort(names)
	return names
}

// Write writes r to w in one format. The error is w's, or says which formats
// there are.
func Write(w io.Writer, format Format, r *result.Report) error {
	write, known := writers[format]
	if !known {
		return fmt.Errorf("unknown format %q: choose one of %s", format, strings.Join(Formats(), ", "))
	}
	return write(w, r)
}
