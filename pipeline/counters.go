package pipeline

// Counters are what a [Server] has counted since it was made, and what is open
// now. They are meant for a metrics page.
type Counters struct {
	Transfers  int   // open now
	Channels   int   // open now
	Handshakes int   // channels open now that have not asked for a transfer
	Buffered   int64 // bytes granted to channels now

	Started, Resumed, Completed, Suspended, Failed, Canceled uint64 // transfers
	Refused                                                  uint64 // channels that never got a transfer
	Unauthorized                                             uint64 // of these, for their token
	Bytes                                                    uint64 // content received, repetitions included
	Blocks                                                   uint64 // verified and written
	BadBlocks                                                uint64 // that did not have their hash
}

// Counters returns what the server has counted.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters
	c.Transfers, c.Handshakes = len(s.transfers), len(s.strangers)
	c.Bytes, c.Blocks, c.BadBlocks = s.bytes.Load(), s.blocks.Load(), s.badBlocks.Load()
	return c
}
