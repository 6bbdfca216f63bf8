package result

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Schema is the version of the JSON form of Report. Fields are added without
// changing it; it changes when one is removed or changes its meaning.
const Schema = 2

// Report is the outcome of a comparison.
type Report struct {
	Schema   int       `json:"schema"`
	Time     time.Time `json:"time"` // when the comparison began
	Seconds  float64   `json:"seconds"`
	Machine  Machine   `json:"machine"`
	Settings Settings  `json:"settings"`

	// Links are the links compared on, in the order of the rows.
	Links []Link `json:"links"`

	// Notes are for the header: what a reader must know before the figures,
	// such as that the carriers' congestion controls differ.
	Notes []string `json:"notes,omitempty"`

	// Doubts are reasons to doubt the whole, each once: what Marks of many rows
	// say of the machine and the time there was.
	Doubts []Mark `json:"doubts,omitempty"`

	// Results are the rows: by link, then sweep value, then transport with its
	// baselines, then direction.
	Results []Result `json:"results"`

	// Comparisons are the tests of one transport against another.
	Comparisons []Comparison `json:"comparisons,omitempty"`

	// Verdict is the conclusion in a few sentences; Verdicts are the same for
	// each link or sweep value.
	Verdict  string        `json:"verdict"`
	Verdicts []LinkVerdict `json:"verdicts,omitempty"`
}

// Machine is where the comparison ran, and with which programs.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`

	// Ferry is the version of this program, a release or a commit; Libraries
	// are those that carry the bytes. "" and none: the build does not say.
	Ferry     string    `json:"ferry,omitempty"`
	Libraries []Library `json:"libraries,omitempty"`
}

// Library is a Go module and its version.
type Library struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Mode is what is measured.
type Mode string

// The modes.
const (
	Bulk     Mode = "bulk"     // a file, as fast as it goes
	Messages Mode = "messages" // request and answer, one after the other
	Open     Mode = "open"     // from dialling to the first byte at the other side
)

// Settings is what was sent and how.
type Settings struct {
	Mode      Mode   `json:"mode"`
	File      string `json:"file"`
	Bytes     int64  `json:"bytes"`
	BLAKE3    string `json:"blake3"`
	ChunkSize int    `json:"chunk_size"`
	HighWater int    `json:"high_water"` // bytes that the uploader lets a channel buffer; 0: what suits each channel, see Result
	Streams   int    `json:"streams"`    // channels that share the file
	Runs      int    `json:"runs"`       // asked for; a row with a wide spread may have more
	WarmUps   int    `json:"warm_ups"`
	Link      string `json:"link"` // the names of Links, joined by commas

	// MessageBytes is the size of the large one of request and answer
	// (mode messages).
	MessageBytes int `json:"message_bytes,omitempty"`

	// RunSeconds is when a run is cut off although its file is not complete;
	// MaxSeconds is what the whole comparison may take.
	RunSeconds float64 `json:"run_seconds"`
	MaxSeconds float64 `json:"max_seconds"`

	Seed      uint64 `json:"seed"`
	Baselines bool   `json:"baselines"`

	Sweep *Sweep `json:"sweep,omitempty"`

	// Command repeats the comparison; "" if nobody has filled it in. Of a real
	// network, the URL is left out, as it holds the token.
	Command string `json:"command,omitempty"`
}

// Sweep is one setting that takes several values.
type Sweep struct {
	Key    string   `json:"key"` // "loss", "rtt", "rate", "chunk-size", "streams", ...
	Values []string `json:"values"`
	Unit   string   `json:"unit,omitempty"` // of Result.SweepNumber: "seconds", "bits/s", "bytes", "share"; "" for a count
}

// Link is a link that rows were measured on.
type Link struct {
	Name  string `json:"name"`            // a profile, the description, or "loopback"
	Spec  string `json:"spec,omitempty"`  // the description in full; "" for a real network
	Kind  string `json:"kind"`            // "loopback", "user" (gVisor), "kernel" (namespaces), "real"
	About string `json:"about,omitempty"` // of a profile, in a few words

	RTTSeconds float64       `json:"rtt_seconds,omitempty"` // without queueing; of a real link, as measured
	MTU        int           `json:"mtu,omitempty"`
	Up         LinkDirection `json:"up"`
	Down       LinkDirection `json:"down"`

	// TCP is the congestion control of TCP on this link.
	TCP string `json:"tcp_congestion_control,omitempty"`
}

// LinkDirection is one direction of an emulated link; 0: not limited, none.
type LinkDirection struct {
	BitsPerS   int64   `json:"bits_per_s,omitempty"` // IP packets, headers included
	QueueBytes int     `json:"queue_bytes,omitempty"`
	Loss       float64 `json:"loss,omitempty"` // mean share of packets, by the description
}

// Comparison is a test of whether one transport is faster than another.
type Comparison struct {
	Link       string    `json:"link"`
	SweepValue string    `json:"sweep_value,omitempty"`
	Direction  Direction `json:"direction"`
	State      OpenState `json:"state,omitempty"`
	Better     string    `json:"better"` // the transport with the better median
	Worse      string    `json:"worse"`

	// Ratio is the better median over the worse (for times: the worse over
	// the better), so at least 1.
	Ratio float64 `json:"ratio"`

	// P is the two-sided p-value of the Mann-Whitney U test over the runs. Tie
	// is P >= 0.05, or too few runs for any P below it (fewer than 4 each).
	P   float64 `json:"p"`
	Tie bool    `json:"tie"`
}

// LinkVerdict is the conclusion for one link, or one value of a sweep.
type LinkVerdict struct {
	Link       string `json:"link"`
	SweepValue string `json:"sweep_value,omitempty"`
	Text       string `json:"text"`
}

// Failed reports whether a result is missing or not to be trusted.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Results, func(res Result) bool { return !res.Verified })
}

// FindLink returns the link of a row.
func (r *Report) FindLink(name string) (Link, bool) {
	i := slices.IndexFunc(r.Links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return Link{}, false
	}
	return r.Links[i], true
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote. The error says when the text is no
// report or one of a later schema.
func ReadJSON(from io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return nil, fmt.Errorf("not a comparison in JSON: %w", err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("a comparison of schema %d; this version reads schema %d", r.Schema, Schema)
	}
	return &r, nil
}
