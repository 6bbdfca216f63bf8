package dcchan

import (
	"sync"
	"time"

	"github.com/pion/logging"
)

// openGap is the time between two channels that open in one go.
const openGap = time.Millisecond

// spacer spaces out the openings of channels that were created before their
// connection was up. pion sends those all at once, while a pion at the other end
// takes in 16 and discards the rest, which then wait for retransmissions of a
// second and more. The only thing pion asks its owner for between one opening
// and the next is a logger; on the accepting side it asks for two different
// ones, and that must not be slowed down.
type spacer struct {
	logging.LoggerFactory

	mu   sync.Mutex // guards the field below
	last string
}

func (s *spacer) NewLogger(scope string) logging.LeveledLogger {
	s.mu.Lock()
	again := scope == "datachannel" && scope == s.last
	s.last = scope
	s.mu.Unlock()
	if again {
		time.Sleep(openGap)
	}
	return s.LoggerFactory.NewLogger(scope)
}
