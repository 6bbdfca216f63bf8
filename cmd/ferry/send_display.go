package main

import (
	"encoding/json"
	"errors"
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

// narrator says in words what happens on the way, and each cause once.
type narrator struct{ last string }

// line returns "" for what a person need not know.
func (n *narrator) line(e pipeline.Event) string {
	what := map[pipeline.EventKind]string{
		pipeline.EventConnected: "connected over " + e.Route,
		pipeline.EventLost:      "lost " + e.Route,
		pipeline.EventRefused:   "no way over " + e.Route,
		pipeline.EventWaiting:   fmt.Sprintf("next try in %v", e.Wait.Round(100*time.Millisecond)),
		pipeline.EventResent:    "sent again",
	}[e.Kind]
	if e.Err == nil {
		n.last = ""
		return what
	}
	cause := plain(e.Err)
	_, told := errors.AsType[*pipeline.PeerError](e.Err)
	switch {
	case cause == n.last && e.Kind == pipeline.EventWaiting:
		return what
	case cause == n.last:
		return ""
	case told && e.Kind != pipeline.EventWaiting: // the way is not to blame
		what = cause
	default:
		what += ": " + cause
	}
	n.last = cause
	return what
}

// quietDisplay shows nothing.
type quietDisplay struct{}

func (quietDisplay) progress(pipeline.Progress) {}
func (quietDisplay) event(pipeline.Event)       {}
func (quietDisplay) end()                       {}

// barDisplay is a progress bar on a terminal.
type barDisplay struct {
	bars *mpb.Progress
	bar  *mpb.Bar // from the first progress on

	story narrator // of one goroutine at a time, as event promises

	mu     sync.Mutex // guards the field below
	routes string
}

func newBarDisplay(w io.Writer) *barDisplay {
	return &barDisplay{bars: mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(100*time.Millisecond))}
}

// begin adds the bar; without a total there is nothing to fill and no end to
// foresee.
func (d *barDisplay) begin(total int64) {
	speed := decor.EwmaSpeed(decor.SizeB1000(0), "% .1f", 30)
	routes := decor.Any(func(decor.Statistics) string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return "  " + d.routes
	})
	if total < 0 {
		d.bar = d.bars.New(0, mpb.NopStyle(), mpb.PrependDecorators(decor.CurrentKibiByte("% .1f  "), speed, routes))
		return
	}
	d.bar = d.bars.AddBar(total,
		mpb.PrependDecorators(decor.CountersKibiByte("% .1f of % .1f")),
		mpb.AppendDecorators(decor.Name(" "), speed, decor.Name("  "), decor.EwmaETA(decor.ET_STYLE_GO, 30), routes),
	)
}

func (d *barDisplay) progress(p pipeline.Progress) {
	d.mu.Lock()
	d.routes = strings.Join(slices.Compact(slices.Sorted(slices.Values(p.Routes))), "+")
	d.mu.Unlock()
	if d.bar == nil {
		d.begin(p.Total)
	}
	d.bar.EwmaSetCurrent(p.Acknowledged, 100*time.Millisecond)
}

func (d *barDisplay) event(e pipeline.Event) {
	if text := d.story.line(e); text != "" {
		fmt.Fprintln(d.bars, text)
	}
}

func (d *barDisplay) end() {
	if d.bar != nil {
		d.bar.Abort(true)
	}
	d.bars.Wait()
}

// lineDisplay writes plain lines: what happens, and every few seconds how far
// it is.
type lineDisplay struct {
	mu    sync.Mutex // guards the fields below
	w     io.Writer
	next  time.Time
	begin time.Time
	story narrator
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if text := d.story.line(e); text != "" {
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
	Code  string `json:"code,omitempty"` // see pipeline.CodeOf
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
		out.Error, out.Code = e.Err.Error(), pipeline.CodeOf(e.Err)
	}
	_ = d.out.Encode(out)
}

func (d *jsonDisplay) end() {}
