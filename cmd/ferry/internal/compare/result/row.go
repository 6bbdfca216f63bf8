package result

// Direction is who sends: the side that dialled (up) or the side that
// accepted (down). In mode messages it is the way of the large message.
type Direction string

// The directions. They cost differently where the protocol or the link is not
// symmetric, as with the masking of WebSocket clients (RFC 6455, section 5.3).
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Role is what a row is for.
type Role string

// The roles.
const (
	Transport Role = "transport" // competes
	Baseline  Role = "baseline"  // the carrier of a transport without chunker and adapter
	Yardstick Role = "yardstick" // no network at all
)

// OpenState is what a connection begins with (mode open).
type OpenState string

// The states.
const (
	Cold    OpenState = "cold"    // nothing is known of the server
	Resumed OpenState = "resumed" // a new connection with the TLS session of an earlier one
	Reused  OpenState = "reused"  // another channel on a connection that is up
)

// Result is one row: one carrier in one direction on one link.
type Result struct {
	Transport string    `json:"transport"` // of a baseline: the carrier's own name, such as "tcp"
	Role      Role      `json:"role"`
	Of        string    `json:"of,omitempty"` // a baseline's transport
	Direction Direction `json:"direction"`
	Link      string    `json:"link"` // a Link's name
	State     OpenState `json:"state,omitempty"`

	// SweepValue is one of Sweep.Values, SweepNumber the same as a number in
	// Sweep.Unit.
	SweepValue  string  `json:"sweep_value,omitempty"`
	SweepNumber float64 `json:"sweep_number,omitempty"`

	Yardstick  bool   `json:"yardstick,omitempty"` // no network: does not compete
	ChunkSize  int    `json:"chunk_size"`
	Streams    int    `json:"streams"`
	HighWater  int    `json:"high_water,omitempty"`         // bytes that the sender let a channel buffer; 0: none, or not known
	Buffered   string `json:"buffered,omitempty"`           // what the carrier's buffered amount counts
	Congestion string `json:"congestion_control,omitempty"` // who controls congestion, and how

	// DeliveredBytes is what the receiver got and verified in the median run;
	// Complete says that this was the whole file, in every run. A run that is
	// not complete was cut off after Settings.RunSeconds.
	DeliveredBytes int64 `json:"delivered_bytes"`
	Complete       bool  `json:"complete"`

	// Seconds and MBPerS are those of the median run; a megabyte is 10^6
	// bytes. Opening the channel is not part of it. MBPerS is 0 in mode open.
	Seconds float64 `json:"seconds"`
	MBPerS  float64 `json:"mb_per_s"`

	// Spread is half the distance between the best and the worst run, as a
	// part of the median: 0.05 reads ±5 %. In modes messages and open it is
	// that of the medians of the runs.
	Spread float64 `json:"spread"`
	// Uncertainty is half the width of the interval that holds the true median
	// with about 95 % confidence, as a part of the median (by order
	// statistics; up to five runs it is the Spread). It shrinks with more runs.
	Uncertainty float64 `json:"uncertainty"`

	Rates []float64 `json:"runs_mb_per_s"` // in the order they ran; null in mode open
	Runs  []Run     `json:"runs,omitempty"`

	Verified        bool    `json:"verified"` // the content hash was right in every run
	CPUSecondsPerGB float64 `json:"cpu_seconds_per_gb,omitempty"`
	CPUCores        float64 `json:"cpu_cores,omitempty"` // processor seconds a second: both ends and the emulator
	PeakRSSBytes    int64   `json:"peak_rss_bytes"`      // of the process, both sides, the largest of the runs
	Error           string  `json:"error,omitempty"`

	// OpenSeconds is what it took to open the channels; FirstByteSeconds is
	// from the first send to the first byte that the receiver had. Medians.
	OpenSeconds      float64 `json:"open_seconds,omitempty"`
	FirstByteSeconds float64 `json:"first_byte_seconds,omitempty"`

	// WireOverPayload is bytes of IP packets on the link, over bytes delivered:
	// headers and retransmissions. Packets that arrived or were dropped count,
	// not those still under way when the run was cut off. BackOverPayload is
	// what was sent the way back: acknowledgements. Medians; 0: not measured.
	WireOverPayload float64 `json:"wire_over_payload,omitempty"`
	BackOverPayload float64 `json:"back_over_payload,omitempty"`

	// LinkUse is the share of the link's rate that packets took in the second
	// half of the median run; 0: not measured, or no rate.
	LinkUse float64 `json:"link_use,omitempty"`

	// LossSeen is the share of the sent packets that the link dropped, for
	// whatever reason, over all runs.
	LossSeen float64 `json:"loss_seen,omitempty"`

	Latency *Latency `json:"latency,omitempty"` // modes messages and open

	Ceilings []Ceiling `json:"ceilings,omitempty"` // the lowest first
	Limit    *Limit    `json:"limit,omitempty"`
	Marks    []Mark    `json:"marks,omitempty"` // reasons to doubt the row
}

// Competes reports whether the row is a transport's and can be trusted.
func (r Result) Competes() bool { return r.Role == Transport && r.Verified }

// Run is one counted run.
type Run struct {
	Seed             uint64  `json:"seed"` // of the emulated link
	MBPerS           float64 `json:"mb_per_s"`
	Seconds          float64 `json:"seconds"`
	DeliveredBytes   int64   `json:"delivered_bytes"`
	Complete         bool    `json:"complete"`
	OpenSeconds      float64 `json:"open_seconds"`
	FirstByteSeconds float64 `json:"first_byte_seconds"`
	CPUSeconds       float64 `json:"cpu_seconds"`
	EmulatorSeconds  float64 `json:"emulator_seconds,omitempty"` // of CPUSeconds
	PeakRSSBytes     int64   `json:"peak_rss_bytes"`

	Wire *Wire `json:"wire,omitempty"` // of an emulated link

	// Throughput is MB/s delivered in each BinSeconds of the run; the last bin
	// may be shorter than the others and is scaled to its length. A bin can
	// exceed the link's rate: bytes that waited for a lost one before them
	// arrive at once.
	BinSeconds float64   `json:"bin_seconds,omitempty"`
	Throughput []float64 `json:"throughput_mb_per_s,omitempty"`

	// MedianSeconds is that of the run's latencies (modes messages and open).
	MedianSeconds float64 `json:"median_seconds,omitempty"`
}

// Wire is what a run put on its link, opening the channels not included.
type Wire struct {
	Bytes        int64 `json:"bytes"` // IP packets in the direction of the payload
	Packets      int64 `json:"packets"`
	BackBytes    int64 `json:"back_bytes"` // and in the other
	BackPackets  int64 `json:"back_packets"`
	ArrivedBytes int64 `json:"arrived_bytes"` // of Bytes, what the link handed over while the run lasted
	DroppedBytes int64 `json:"dropped_bytes"` // of Bytes, what the link dropped, for whatever reason
	DroppedLoss  int64 `json:"dropped_loss"`  // packets lost or damaged on the wire, both directions
	DroppedQueue int64 `json:"dropped_queue"` // packets that found the queue full, both directions
	QueueHigh    int   `json:"queue_high"`    // most bytes that waited, direction of the payload
	Late         int64 `json:"late"`          // packets the emulator handed over more than 1 ms late
}

// Latency is a distribution of times.
type Latency struct {
	Count  int     `json:"count"`
	Mean   float64 `json:"mean_seconds"`
	Min    float64 `json:"min_seconds"`
	P50    float64 `json:"p50_seconds"`
	P90    float64 `json:"p90_seconds"`
	P95    float64 `json:"p95_seconds"`
	P99    float64 `json:"p99_seconds"`
	P999   float64 `json:"p999_seconds"`
	Max    float64 `json:"max_seconds"`
	Points []Point `json:"cdf"` // at most 200, rising in both
}

// Point says that Share of all times were at most Seconds.
type Point struct {
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share"`
}

// Ceiling is a rate that a row cannot exceed, and why.
type Ceiling struct {
	Name   string  `json:"name"` // "link", "window", "loss"
	MBPerS float64 `json:"mb_per_s"`
	Why    string  `json:"why"`
}

// The names of ceilings and limits.
const (
	LimitApplication = "application" // the sender had nothing to send, or waited for an answer
	LimitWindow      = "window"      // bytes in flight may not exceed a window
	LimitLoss        = "loss"        // congestion control reacts to packets lost on the wire
	LimitCongestion  = "congestion"  // congestion control reacts to a full queue
	LimitLink        = "link"        // the link is full
	LimitCPU         = "cpu"
	LimitSlowStart   = "slow start" // the run ended before the rate was reached
	LimitRoundTrips  = "round trips"
	LimitPath        = "path" // a real network, of which nothing more is known
)

// Limit is what keeps a row from being faster.
type Limit struct {
	Name    string `json:"name"` // one of the constants above
	Why     string `json:"why"`
	Setting string `json:"setting"` // what to change
}

// Mark is a reason to doubt a row.
type Mark struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// OfMachine says that the mark is about the machine or the time there was, and
// not about the row: Report.Doubts says it once.
func (m Mark) OfMachine() bool {
	return m.Name == MarkEmulator || m.Name == MarkCPU || m.Name == MarkBusy || m.Name == MarkFewRuns
}

// The names of marks.
const (
	MarkSlowStart = "slow start" // the rate was still growing when the run ended
	MarkEmulator  = "emulator"   // the emulator took more than half a core, or was late
	MarkSpread    = "spread"     // the runs differ too much, also after more of them
	MarkCPU       = "cpu"        // the machine was the limit, not the link
	MarkOutage    = "outage"     // the link has outages, and the runs were too short for one
	MarkFewRuns   = "few runs"   // time was up before all runs were made
	MarkBusy      = "busy"       // other programs used the processor
)
