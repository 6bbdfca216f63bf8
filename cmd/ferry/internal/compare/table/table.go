// Package table shows a result.Report to people at a terminal: a table for each
// link, what limits its rows, and the verdict as the last lines.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// Write writes the report. The error is w's.
func Write(w io.Writer, r *result.Report) error {
	out := &printer{w: w}
	out.head(r)
	for _, p := range places(r) {
		out.place(r, p)
	}
	out.failures(r)
	out.doubts(r)
	out.f("\n%s\n", r.Verdict)
	if len(r.Verdicts) > 1 {
		for _, v := range r.Verdicts {
			out.f("  %s\n", v.Text)
		}
	}
	out.foot(r)
	return out.err
}

// doubts says once what concerns the whole comparison.
func (p *printer) doubts(r *result.Report) {
	if len(r.Doubts) > 0 {
		p.f("\nTake the figures with care:\n")
	}
	for _, d := range r.Doubts {
		p.f("  %s: %s.\n", d.Name, d.Text)
	}
}

// foot says with what it was measured and how to repeat it.
func (p *printer) foot(r *result.Report) {
	p.f("\n%s\n", report.Programs(r.Machine))
	if r.Settings.Command != "" {
		p.f("To repeat it: %s\n", r.Settings.Command)
	}
}

// printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) head(r *result.Report) {
	s := r.Settings
	p.f("%s/%s  %d CPUs  %s  seed %d\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPUs, s.Link, s.Seed)
	runs := fmt.Sprintf("%d runs", s.Runs)
	if s.Runs == 1 {
		runs = "1 run"
	}
	if s.WarmUps > 0 {
		runs += fmt.Sprintf(" after %d warm-up", s.WarmUps)
	}
	switch s.Mode {
	case result.Messages:
		p.f("requests and answers, the large one %s  %s of %v\n", size.Bytes(s.MessageBytes), runs, seconds(s.RunSeconds))
	case result.Open:
		p.f("from dialling to the first message at the other side  %s of %v\n", runs, seconds(s.RunSeconds))
	default:
		until := ""
		if s.RunSeconds > 0 {
			until = fmt.Sprintf(", cut off after at most %v", seconds(s.RunSeconds))
		}
		streams := ""
		if s.Streams > 1 {
			streams = fmt.Sprintf("  %d streams", s.Streams)
		}
		p.f("%s in %s chunks%s  %s%s  content verified by BLAKE3 at the receiver\n",
			size.Bytes(s.Bytes), size.Bytes(s.ChunkSize), streams, runs, until)
	}
	if marks := report.HighWaters(r); marks != "" {
		p.f("a channel buffers at most %s\n", marks)
	}
	for _, n := range r.Notes {
		p.f("%s\n", n)
	}
}

// place is a link or one value of a sweep on it.
type place struct{ link, value string }

func places(r *result.Report) []place {
	var all []place
	for _, res := range r.Results {
		if p := (place{res.Link, res.SweepValue}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func (p *printer) place(r *result.Report, at place) {
	var rows []result.Result
	for _, res := range r.Results {
		if res.Link == at.link && res.SweepValue == at.value {
			rows = append(rows, res)
		}
	}
	p.f("\n%s", at.link)
	if at.value != "" {
		p.f(", %s=%s", r.Settings.Sweep.Key, at.value)
	}
	if l, ok := r.FindLink(at.link); ok {
		if l.About != "" {
			p.f(": %s", l.About)
		}
		if l.Spec != "" && l.Spec != l.Name {
			p.f("\n  %s", l.Spec)
		}
		if l.TCP != "" {
			p.f("\n  %s, TCP %s", kinds[l.Kind], l.TCP)
		}
	}
	p.f("\n")
	if r.Settings.Mode == result.Bulk {
		p.bulk(rows)
	} else {
		p.times(rows, r.Settings.Mode == result.Open)
	}
	p.limits(rows)
}

var kinds = map[string]string{"user": "network stack of gVisor in this process", "kernel": "the kernel's network stack"}

func (p *printer) bulk(rows []result.Result) {
	emulated := slices.ContainsFunc(rows, func(r result.Result) bool { return r.WireOverPayload > 0 })
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { p.cells(t, cells) }
	last := "vs memory"
	if emulated {
		last = "of ceiling\twire/payload"
	}
	line("transport", "direction", "MB/s", "±", last, "first byte", "CPU s/GB", "peak memory", "limit", "verified")
	for _, r := range rows {
		if !r.Verified {
			filler := "-"
			if emulated {
				filler = "-\t-"
			}
			line(name(r), string(r.Direction), "-", "-", filler, "-", "-", size.Bytes(r.PeakRSSBytes).String(), "-", "no")
			continue
		}
		share := versus(r, rows)
		if emulated {
			share = ofCeiling(r) + "\t" + fmt.Sprintf("%.3f", r.WireOverPayload)
		}
		line(name(r), string(r.Direction), rate(r.MBPerS), fmt.Sprintf("%.0f %%", 100*r.Spread), share,
			seconds(r.FirstByteSeconds).String(), fmt.Sprintf("%.2f", r.CPUSecondsPerGB), size.Bytes(r.PeakRSSBytes).String(), limit(r), "yes")
	}
	p.flush(t)
}

func (p *printer) times(rows []result.Result, open bool) {
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	second := ""
	if open {
		second = "\tconnection"
	}
	p.cells(t, []string{"transport", "direction" + second, "median", "±", "90 %", "99 %", "longest", "count", "limit", "verified"})
	for _, r := range rows {
		direction := string(r.Direction)
		if open {
			direction += "\t" + string(r.State)
		}
		if !r.Verified || r.Latency == nil {
			p.cells(t, []string{name(r), direction, "-", "-", "-", "-", "-", "-", "-", "no"})
			continue
		}
		l := r.Latency
		p.cells(t, []string{
			name(r), direction, seconds(l.P50).String(), fmt.Sprintf("%.0f %%", 100*r.Spread), seconds(l.P90).String(),
			seconds(l.P99).String(), seconds(l.Max).String(), fmt.Sprint(l.Count), limit(r), "yes",
		})
	}
	p.flush(t)
}

func (p *printer) cells(t *tabwriter.Writer, cells []string) {
	if p.err == nil {
		_, p.err = fmt.Fprint(t, strings.Join(cells, "\t"), "\t\n")
	}
}

func (p *printer) flush(t *tabwriter.Writer) {
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
}

// limits explains the limits of the transports, each remedy once, and the marks
// of all rows, with the figures of the first row that has it.
func (p *printer) limits(rows []result.Result) {
	type note struct {
		head, key, text string
		of              []result.Result
	}
	var notes []*note
	add := func(r result.Result, head, key, text string) {
		for _, n := range notes {
			if n.head == head && n.key == key {
				n.of = append(n.of, r)
				return
			}
		}
		notes = append(notes, &note{head, key, text, []result.Result{r}})
	}
	for _, r := range rows {
		if r.Role != result.Transport {
			continue
		}
		if r.Limit != nil {
			add(r, r.Limit.Name, r.Limit.Setting, r.Limit.Why+". To go faster: "+r.Limit.Setting)
		}
	}
	for _, r := range rows {
		for _, m := range r.Marks {
			if !m.OfMachine() {
				add(r, "! "+m.Name, "", m.Text)
			}
		}
	}
	if len(notes) > 0 {
		p.f("\n")
	}
	for _, n := range notes {
		example := ""
		if len(n.of) > 1 {
			example = who(n.of[0]) + ": "
		}
		p.f("  %s (%s): %s%s.\n", n.head, whose(n.of, rows), example, n.text)
	}
}

// whose names rows shortly: a transport without its direction if all of its
// rows are meant.
func whose(some, all []result.Result) string {
	if len(some) == len(all) {
		return "all rows"
	}
	count := func(rows []result.Result, name string) (n int) {
		for _, r := range rows {
			if r.Transport == name {
				n++
			}
		}
		return n
	}
	var out []string
	for _, r := range some {
		if count(some, r.Transport) < count(all, r.Transport) {
			out = append(out, who(r))
		} else if !slices.Contains(out, r.Transport) {
			out = append(out, r.Transport)
		}
	}
	return strings.Join(out, ", ")
}

func who(r result.Result) string {
	s := r.Transport + " " + string(r.Direction)
	if r.State != "" {
		s += " " + string(r.State)
	}
	return s
}

func (p *printer) failures(r *result.Report) {
	for _, res := range r.Results {
		if res.Error != "" {
			p.f("\n%s on %s: %s\n", who(res), res.Link, res.Error)
		}
	}
}

// name marks baselines.
func name(r result.Result) string {
	if r.Role == result.Baseline {
		return "(" + r.Transport + ")"
	}
	return r.Transport
}

// limit is the limit's name, with a mark if there is reason to doubt the row.
func limit(r result.Result) string {
	var s string
	if r.Limit != nil {
		s = r.Limit.Name
	}
	if slices.ContainsFunc(r.Marks, func(m result.Mark) bool { return !m.OfMachine() }) {
		s += " !"
	}
	return s
}

func ofCeiling(r result.Result) string {
	if len(r.Ceilings) == 0 || r.Ceilings[0].MBPerS == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*r.MBPerS/r.Ceilings[0].MBPerS)
}

// versus is the row's rate as a share of the yardstick's.
func versus(res result.Result, rows []result.Result) string {
	for _, y := range rows {
		if y.Yardstick && y.Direction == res.Direction && y.MBPerS > 0 && !res.Yardstick {
			return fmt.Sprintf("%.0f %%", 100*res.MBPerS/y.MBPerS)
		}
	}
	return ""
}

func rate(mb float64) string {
	if mb < 10 {
		return fmt.Sprintf("%.2f", mb)
	}
	return fmt.Sprintf("%.1f", mb)
}

// seconds is a duration with about three digits.
func seconds(s float64) time.Duration {
	d := time.Duration(s * float64(time.Second))
	for unit := time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}
