package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
	"github.com/chunkferry/chunkferry/pipeline"
)

// display shows a transfer while it runs.
type display interface {
	progress(pipeline.Progress)
	event(pipeline.Event)
	end()
}

// describe says in words what happened on the way, "" if it is nothing that a
// person wants to know.
func describe(e pipeline.Event) string {
	switch e.Kind {
	case pipeline.EventConnected:
		return "connected over " + e.Route
	case pipeline.EventLost:
		return fmt.Sprintf("lost %s: %v", e.Route, e.Err)
	case pipeline.EventRefused:
		return fmt.Sprintf("no way over %s: %v", e.Route, e.Err)
	case pipeline.EventWaiting:
		return fmt.Sprintf("not reachable, next try in %v: %v", e.Wait.Round(100*time.Millisecond), e.Err)
	case pipeline.EventResent:
		return fmt.Sprintf("a block arrived damaged and is sent again: %v", e.Err)
	default:
		return ""
	}
}

// quietDisplay shows nothing.
type quietDisplay struct{}

func (quietDisplay) progress(pipeline.Progress) {}
func (quietDisplay) event(pipeline.Event)       {}
func (quietDisplay) end()                       {}

// barDisplay is a progress bar on a terminal.
type barDisplay struct {
	bars *mpb.Progress
	bar  *mpb.Bar

	mu     sync.Mutex // guards the field below
	routes string
}

func newBarDisplay(w io.Writer) *barDisplay {
	d := &barDisplay{bars: mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(100*time.Millisecond))}
	d.bar = d.bars.AddBar(0,
		mpb.PrependDecorators(decor.CountersKibiByte("% .1f of % .1f")),
		mpb.AppendDecorators(
			decor.EwmaSpeed(decor.SizeB1000(0), "% .1f", 30),
			decor.Name("  "),
			decor.EwmaETA(decor.ET_STYLE_GO, 30),
			decor.Any(func(decor.Statistics) string {
				d.mu.Lock()
				defer d.mu.Unlock()
				return "  " + d.routes
			}),
		),
	)
	return d
}

func (d *barDisplay) progress(p pipeline.Progress) {
	d.mu.Lock()
	d.routes = strings.Join(slices.Compact(slices.Sorted(slices.Values(p.Routes))), "+")
	d.mu.Unlock()
	if p.Total >= 0 {
		d.bar.SetTotal(p.Total, false)
	} else {
		d.bar.SetTotal(p.Read+1, false)
	}
	d.bar.EwmaSetCurrent(p.Acknowledged, 100*time.Millisecond)
}

func (d *barDisplay) event(e pipeline.Event) {
	if text := describe(e); text != "" {
		fmt.Fprintln(d.bars, text)
	}
}

func (d *barDisplay) end() {
	d.bar.Abort(true)
	d.bars.Wait()
}

// lineDisplay writes plain lines: what happens, and every few seconds how far
// it is.
type lineDisplay struct {
	mu    sync.Mutex // guards the fields below
	w     io.Writer
	next  time.Time
	begin time.Time
}

const lineEvery = 2 * time.Second

func newLineDisplay(w io.Writer) *lineDisplay {
	now := time.Now()
	return &lineDisplay{w: w, begin: now, next: now.Add(lineEvery)}
}

func (d *lineDisplay) progress(p pipeline.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Before(d.next) {
		return
	}
	d.next = now.Add(lineEvery)
	of := ""
	if p.Total > 0 {
		of = fmt.Sprintf(" of %s (%d %%)", size.Bytes(p.Total), 100*p.Acknowledged/p.Total)
	}
	fmt.Fprintf(d.w, "%s%s after %v\n", size.Bytes(p.Acknowledged), of, now.Sub(d.begin).Round(time.Second))
}

func (d *lineDisplay) event(e pipeline.Event) {
	if text := describe(e); text != "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		fmt.Fprintln(d.w, text)
	}
}

func (d *lineDisplay) end() {}

// sendEvent is the JSON form of what happens at the sender. Fields that do not
// apply are left out.
type sendEvent struct {
	Event string `json:"event"` // progress, complete, failed, or a pipeline.EventKind

	// Of progress, in content bytes: read from the source, accepted by the
	// transport, acknowledged and durable at the receiver.
	Read         int64 `json:"read,omitempty"`
	Accepted     int64 `json:"accepted,omitempty"`
	Acknowledged int64 `json:"acknowledged,omitempty"`
	Durable      int64 `json:"durable,omitempty"`
	Total        int64 `json:"total,omitempty"` // -1 as long as it is unknown

	Transport  string   `json:"transport,omitempty"`
	Transports []string `json:"transports,omitempty"`
	Wait       float64  `json:"wait_seconds,omitempty"`

	// Of complete.
	Bytes   int64   `json:"bytes,omitempty"`
	Files   int     `json:"files,omitempty"`
	Sent    int64   `json:"sent_bytes,omitempty"` // repetitions included
	Seconds float64 `json:"seconds,omitempty"`
	MBPerS  float64 `json:"mb_per_s,omitempty"`
	BLAKE3  string  `json:"blake3,omitempty"`

	Error string `json:"error,omitempty"`
}

// jsonDisplay prints events, and progress once a second.
type jsonDisplay struct {
	mu   sync.Mutex // guards the fields below
	out  *json.Encoder
	next time.Time
}

func newJSONDisplay(w io.Writer) *jsonDisplay { return &jsonDisplay{out: json.NewEncoder(w)} }

func (d *jsonDisplay) progress(p pipeline.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.After(d.next) {
		d.next = now.Add(time.Second)
		_ = d.out.Encode(sendEvent{
			Event: "progress", Read: p.Read, Accepted: p.Accepted, Acknowledged: p.Acknowledged,
			Durable: p.Durable, Total: p.Total, Transports: p.Routes,
		}) // nobody is left to tell when stdout is gone
	}
}

func (d *jsonDisplay) event(e pipeline.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := sendEvent{Event: string(e.Kind), Transport: e.Route, Wait: e.Wait.Seconds()}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	_ = d.out.Encode(out)
}

func (d *jsonDisplay) end() {}
