package pipeline

import (
	"slices"
	"time"
)

// Progress is how far a [Send] is. Each counter lags behind the one before it.
type Progress struct {
	Read         int64 // content bytes read from the source, once each
	Accepted     int64 // content bytes that channels took, repetitions included
	Acknowledged int64 // content bytes that the receiver verified and wrote, now or earlier
	Durable      int64 // content bytes that survive a power failure of the receiver
	Total        int64 // -1 as long as it is unknown

	Routes []string // of the channels open now, by name
}

// EventKind says what an [Event] is.
type EventKind string

// The kinds of events of a sender.
const (
	EventConnected EventKind = "connected" // a channel carries the transfer
	EventLost      EventKind = "lost"      // a channel died or was given up
	EventRefused   EventKind = "refused"   // a route could not be opened
	EventWaiting   EventKind = "waiting"   // no channel; the next attempt comes after Wait
	EventResent    EventKind = "resent"    // the receiver found a block damaged
)

// Event is a change that a user may want to see.
type Event struct {
	Kind  EventKind
	Route string        // "" if it concerns none
	Err   error         // why, if there is a reason
	Wait  time.Duration // of EventWaiting
}

// event reports e, one at a time.
func (s *sending) event(e Event) {
	s.opts.Logger.Info("transfer "+string(e.Kind), "id", s.id, "route", e.Route, "err", e.Err, "wait", e.Wait)
	if s.opts.Event == nil {
		return
	}
	s.calling.Lock()
	defer s.calling.Unlock()
	s.opts.Event(e)
}

func (s *sending) progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{
		Read:         s.readBytes,
		Accepted:     s.accepted.Load(),
		Acknowledged: s.ackedBytes,
		Durable:      s.durable,
		Total:        s.layout.size,
	}
	if s.ended {
		p.Total = s.size
	}
	for l := range s.lanes {
		p.Routes = append(p.Routes, l.route)
	}
	slices.Sort(p.Routes)
	return p
}

// reportProgress calls the user until the transfer is over, and then once
// more.
func (s *sending) reportProgress() {
	if s.opts.Progress == nil {
		return
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last Progress
	for over := false; !over; {
		select {
		case <-tick.C:
		case <-s.finished:
			over = true
		}
		p := s.progress()
		if over || !equalProgress(p, last) {
			s.calling.Lock()
			s.opts.Progress(p)
			s.calling.Unlock()
		}
		last = p
	}
}

func equalProgress(a, b Progress) bool {
	return a.Read == b.Read && a.Accepted == b.Accepted && a.Acknowledged == b.Acknowledged &&
		a.Durable == b.Durable && a.Total == b.Total && slices.Equal(a.Routes, b.Routes)
}
