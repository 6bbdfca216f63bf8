package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// Carrier is one transport under comparison.
type Carrier struct {
	Name string

	// Pair opens a pair of connected channels, the dialling side first.
	Pair func(ctx context.Context) (a, b transport.Channel, err error)

	// Yardstick marks a carrier without a network: it is shown beside the
	// others and does not compete with them.
	Yardstick bool
}

// Direction is who sends: the side that dialled (up) or the side that
// accepted (down).
type Direction string

// The directions. They cost differently where the protocol is not symmetric,
// as with the masking of WebSocket clients (RFC 6455, section 5.3).
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Config is what to compare and how. Carriers and Path are required.
type Config struct {
	Carriers  []Carrier
	Path      string // the file to send
	ChunkSize int    // payload bytes a chunk; 0 means chunker.DefaultChunkSize
	Runs      int    // counted runs of each carrier and direction; 0 means 5

	// Stall is how long a run may go without a byte delivered before it
	// fails; 0 means 30 s.
	Stall time.Duration

	// Progress, if set, is called before each run.
	Progress func(Step)
}

// Step says how far a comparison is.
type Step struct {
	Run, Runs int // of all runs, the warm-up included
	Carrier   string
	Direction Direction
	Left      time.Duration // an estimate, 0 while there is none
}

// Defaults of Config.
const (
	DefaultRuns  = 5
	DefaultStall = 30 * time.Second
)

var errNothing = errors.New("compare: no carrier to compare")

func (c Config) withDefaults() (Config, error) {
	if len(c.Carriers) == 0 {
		return c, errNothing
	}
	if c.ChunkSize == 0 {
		c.ChunkSize = chunker.DefaultChunkSize
	}
	if c.Runs == 0 {
		c.Runs = DefaultRuns
	}
	if c.Stall == 0 {
		c.Stall = DefaultStall
	}
	if c.ChunkSize < 1 || c.Runs < 1 {
		return c, fmt.Errorf("compare: chunk size %d and runs %d must be positive", c.ChunkSize, c.Runs)
	}
	return c, nil
}

// source is the file every run sends, with what the receiver must end up with.
type source struct {
	path string
	size int64
	hash digest
}

func openSource(path string) (source, error) {
	f, err := os.Open(path)
	if err != nil {
		return source{}, fmt.Errorf("compare: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return source{}, errors.Join(fmt.Errorf("compare: %s is not a regular file", path), err)
	}
	h := newHash()
	size, err := io.Copy(h, f)
	if err != nil {
		return source{}, fmt.Errorf("compare: %w", err)
	}
	return source{path: path, size: size, hash: sum(h)}, nil
}
