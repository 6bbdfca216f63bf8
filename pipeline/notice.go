package pipeline

import (
	"time"
)

// NoticeKind says what a [Notice] is about.
type NoticeKind string

// The kinds of notices of a server.
const (
	NoticeStarted   NoticeKind = "started"
	NoticeResumed   NoticeKind = "resumed"   // with Held bytes from an earlier attempt
	NoticeCompleted NoticeKind = "completed" // with a Receipt
	NoticeSuspended NoticeKind = "suspended" // kept by the sink until its sender comes back
	NoticeFailed    NoticeKind = "failed"    // for the reason Err; kept by the sink
	NoticeCanceled  NoticeKind = "canceled"  // on purpose; Err is a [CancelError]
	NoticeRefused   NoticeKind = "refused"   // before it was one: no Transfer; Err says why
)

// Notice is a change in the life of a transfer at the server, or the refusal of
// a sender for good.
type Notice struct {
	Kind     NoticeKind
	Transfer *Manifest // do not change it; nil for NoticeRefused
	Peer     string    // see [WithPeer]
	Held     int64     // bytes kept from an earlier attempt, for NoticeResumed
	Receipt  *Receipt  // for NoticeCompleted
	Err      error
	Elapsed  time.Duration // since the transfer was opened
}

// refused reports a sender that was turned away and need not come back as it
// is.
func (s *Server) refused(v *session, err error) {
	s.opts.Logger.Info("sender refused", "peer", v.peer, "err", err)
	if s.opts.Notify != nil {
		s.opts.Notify(Notice{Kind: NoticeRefused, Peer: v.peer, Err: err})
	}
}

// notice counts, logs and reports what happened to t.
func (s *Server) notice(t *transfer, n Notice) {
	n.Transfer, n.Peer, n.Elapsed = t.manifest, t.peer, time.Since(t.began)
	s.mu.Lock()
	switch n.Kind {
	case NoticeStarted:
		s.counters.Started++
	case NoticeResumed:
		s.counters.Resumed++
	case NoticeCompleted:
		s.counters.Completed++
	case NoticeSuspended:
		s.counters.Suspended++
	case NoticeFailed:
		s.counters.Failed++
	case NoticeCanceled:
		s.counters.Canceled++
	case NoticeRefused: // counted as a channel
	}
	s.mu.Unlock()
	s.opts.Logger.Info("transfer "+string(n.Kind), "id", t.manifest.ID, "peer", n.Peer,
		"size", t.manifest.Size, "files", len(t.manifest.Entries), "held", n.Held, "elapsed", n.Elapsed, "err", n.Err)
	if s.opts.Notify != nil {
		s.opts.Notify(n)
	}
}

// Status is how far an open transfer is.
type Status struct {
	Transfer *Manifest // do not change it
	Peer     string
	Written  int64 // bytes verified and written
	Durable  int64 // bytes that survive a power failure
	Channels int
	Elapsed  time.Duration // since it was opened
}

// Transfers returns the open transfers, in no order.
func (s *Server) Transfers() []Status {
	s.mu.Lock()
	list := make([]*transfer, 0, len(s.transfers))
	for _, t := range s.transfers {
		list = append(list, t)
	}
	s.mu.Unlock()
	out := make([]Status, len(list))
	for i, t := range list {
		t.mu.Lock()
		out[i] = Status{
			Transfer: t.manifest, Peer: t.peer, Written: t.written, Durable: t.durable,
			Channels: len(t.sessions), Elapsed: time.Since(t.began),
		}
		t.mu.Unlock()
	}
	return out
}
