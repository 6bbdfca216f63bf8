package compare

import (
	"errors"
	"fmt"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
)

// Config is what to compare and how. Carriers, and Path but in the mode open,
// are required.
type Config struct {
	Carriers []carrier.Carrier
	Lines    []Line // none: loopback
	Mode     result.Mode
	Path     string // the file to send

	ChunkSize    int // payload bytes a chunk; 0 means chunker.DefaultChunkSize
	HighWater    int // bytes that a channel may buffer; 0 means what the chunker chooses for each channel
	Streams      int // flows that share the file; 0 means 1
	MessageBytes int // of the large one of request and answer; 0 means 16 KiB
	Runs         int // counted runs of each row; 0 means 5

	// RunTime is when a run is cut off. 0: on an emulated link what MaxTime
	// allows, in proportion to the link's round trip; on others never in mode
	// bulk, and after a second in the others.
	RunTime time.Duration

	// MaxTime is what the comparison may take; 0 means 5 minutes. Runs that
	// have begun are finished.
	MaxTime time.Duration

	Seed  uint64 // of the first round's links; each further round has the next
	Sweep *result.Sweep

	// Stall is how long a run may go without a byte delivered before it
	// fails; 0 means 30 s.
	Stall time.Duration

	// Progress, if set, is called before each run.
	Progress func(Step)
}

// Line is a link to compare on.
type Line struct {
	Name     string
	About    string
	Emulated bool // else loopback, and nothing below counts
	Text     string
	Kind     link.Kind
	TCP      string // congestion control; "" means the kind's first

	// Real is a real network instead; Path then holds the first bytes of
	// remote.Content, and only bulk and messages with one stream are measured.
	Real *Real

	// Only are the names of the transports that run here; none: all.
	Only []string

	// RunTime is Config.RunTime for this line, if that is 0.
	RunTime time.Duration
}

// Step says how far a comparison is.
type Step struct {
	Run, Runs int // of all runs that are planned, the warm-up included
	Name      string
	Direction result.Direction
	Link      string
	Left      time.Duration // an estimate, 0 while there is none
}

// Defaults of Config.
const (
	DefaultRuns         = 5
	DefaultMaxTime      = 5 * time.Minute
	DefaultMessageBytes = 16 << 10
	DefaultStall        = 30 * time.Second
)

// ErrConfig is matched by errors about a Config that cannot be run.
var ErrConfig = errors.New("compare")

func (c Config) withDefaults() (Config, error) {
	if len(c.Carriers) == 0 {
		return c, fmt.Errorf("%w: no carrier to compare", ErrConfig)
	}
	if len(c.Lines) == 0 {
		c.Lines = []Line{{Name: "loopback"}}
	}
	if c.Mode == "" {
		c.Mode = result.Bulk
	}
	for _, v := range []struct {
		value    *int
		standard int
		name     string
	}{
		{&c.ChunkSize, chunker.DefaultChunkSize, "chunk size"},
		{&c.Streams, 1, "number of streams"},
		{&c.MessageBytes, DefaultMessageBytes, "message size"},
		{&c.Runs, DefaultRuns, "number of runs"},
	} {
		if *v.value == 0 {
			*v.value = v.standard
		}
		if *v.value < 1 {
			return c, fmt.Errorf("%w: the %s must be positive, not %d", ErrConfig, v.name, *v.value)
		}
	}
	if c.HighWater < 0 {
		return c, fmt.Errorf("%w: the high-water mark must not be negative, and is %d", ErrConfig, c.HighWater)
	}
	if c.Streams > maxStreams {
		return c, fmt.Errorf("%w: %d streams, at most %d", ErrConfig, c.Streams, maxStreams)
	}
	for _, l := range c.Lines {
		if l.Real != nil && (c.Mode == result.Open || c.Streams > 1 || c.Sweep != nil && c.Sweep.Key == "streams") {
			return c, fmt.Errorf("%w: over a real network, bulk and messages with one stream are what there is", ErrConfig)
		}
	}
	if c.MaxTime <= 0 {
		c.MaxTime = DefaultMaxTime
	}
	if c.Stall <= 0 {
		c.Stall = DefaultStall
	}
	return c, nil
}

// maxStreams is what the listeners accept from one peer.
const maxStreams = 64
