package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/table"
)

// compareOutput is where the outcome of a comparison goes.
type compareOutput struct {
	format  string
	save    string // a file, or ""
	against string // a file, or ""
	plots   string // a directory, or ""

	before *result.Report // read from against
}

func formats() []string { return append([]string{string(report.Text)}, report.Formats()...) }

// prepare refuses what cannot be written before anything is measured.
func (o *compareOutput) prepare() error {
	if !slices.Contains(formats(), o.format) {
		return misusef("unknown format %q: choose from %s", o.format, strings.Join(formats(), ", "))
	}
	if o.plots != "" {
		if err := os.MkdirAll(o.plots, 0o755); err != nil {
			return err
		}
	}
	if o.against == "" {
		return nil
	}
	if !slices.Contains(report.ChangesFormats(), o.format) {
		return misusef("--against has no format %q: choose from %s", o.format, strings.Join(report.ChangesFormats(), ", "))
	}
	f, err := os.Open(o.against)
	if err != nil {
		return err
	}
	defer f.Close()
	if o.before, err = result.ReadJSON(f); err != nil {
		return fmt.Errorf("--against %s: %w", o.against, err)
	}
	return nil
}

// write saves the outcome and its plots and writes it to w: as a whole, or what
// has changed.
func (o *compareOutput) write(w io.Writer, r *result.Report) error {
	if o.save != "" {
		if err := saveReport(o.save, r); err != nil {
			return err
		}
	}
	if o.plots != "" {
		if _, err := report.WritePlots(o.plots, r); err != nil {
			return err
		}
	}
	format := report.Format(o.format)
	if format == report.Text {
		if err := table.Write(w, r); err != nil || o.before == nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if o.before != nil {
		return report.WriteChanges(w, format, report.Compare(o.before, r))
	}
	return report.Write(w, format, r)
}

func saveReport(path string, r *result.Report) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = r.WriteJSON(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}
