package pipeline

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// offer takes the beginning of an offer.
func (v *session) offer(m *offer) error {
	o := &v.srv.opts
	switch {
	case m.Size > o.MaxSize:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, m.Size, o.MaxSize)
	case m.Count > o.MaxFiles:
		return fmt.Errorf("%w: %d files and directories, at most %d", ErrLimit, m.Count, o.MaxFiles)
	case int64(m.BlockSize) > o.Window:
		return fmt.Errorf("%w: blocks of %d bytes, at most %d", ErrLimit, m.BlockSize, o.Window)
	}
	first := m.Entries
	m.Entries = nil
	v.offered = m
	return v.gather(first)
}

// Bounds of the memory that a list of files takes, in bytes.
const (
	maxManifest = 32 << 20
	entryCost   = 200 // besides the path
)

// gather adds entries until the offer is complete.
func (v *session) gather(list []entry) error {
	m := v.offered
	if len(list) == 0 || len(m.Entries)+len(list) > m.Count {
		return protocolError("%d entries added to %d of %d", len(list), len(m.Entries), m.Count)
	}
	size := int64(0)
	for _, e := range list {
		size += int64(len(e.Path)) + entryCost
	}
	if v.charged+size > maxManifest {
		return fmt.Errorf("%w: lists of files of at most %d bytes", ErrLimit, maxManifest)
	}
	if err := v.srv.charge(size); err != nil {
		return err
	}
	v.charged += size
	v.asked.Store(int64(time.Since(v.began)))
	if m.Entries = append(m.Entries, list...); len(m.Entries) < m.Count {
		return nil
	}
	v.offered = nil
	manifest, err := m.manifest()
	if err != nil {
		return err
	}
	v.srv.shaken(v)
	v.claim = claim{m.Sender, m.Attempt, v.order}
	return v.begin(manifest, m.Restart)
}

// manifest checks an offer that is complete.
func (m *offer) manifest() (*Manifest, error) {
	out := &Manifest{ID: m.ID, BlockSize: m.BlockSize, Size: m.Size, Entries: make([]Entry, len(m.Entries))}
	dirs := make(map[string]bool, len(m.Entries))
	for i := range m.Entries {
		e, err := m.Entries[i].toEntry()
		if err != nil {
			return nil, err
		}
		out.Entries[i] = e
		dirs[e.Path] = e.Mode.IsDir()
	}
	for _, e := range out.Entries {
		for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
			if isDir, listed := dirs[dir]; listed && !isDir {
				return nil, &EntryError{Path: clip(e.Path), Err: fmt.Errorf("%w: it lies in a file", ErrName)}
			}
		}
	}
	l, err := newLayout(out.Entries)
	if errors.Is(err, ErrName) {
		return nil, err
	} else if err != nil {
		return nil, protocolError("offer: %w", err)
	}
	if l.size != m.Size {
		return nil, protocolError("offer of %d bytes with entries of %d", m.Size, l.size)
	}
	return out, nil
}

// claim is what decides between offers of the same transfer. They may be
// handled in another order than they were made: the channel of an older one is
// dead, but the server does not know yet.
type claim struct {
	sender  string
	attempt uint32
	order   uint64 // of their channels: a new process opens its channel later
}

// older reports whether c was made before other.
func (c claim) older(other claim) bool {
	if c.sender == other.sender && c.attempt != other.attempt {
		return c.attempt < other.attempt
	}
	return c.order < other.order
}

// begin starts the transfer, or continues it.
func (v *session) begin(m *Manifest, restart bool) error {
	for {
		t, err := v.srv.transferFor(m, restart, v.peer)
		if err != nil {
			return err
		}
		if !t.manifest.sameSource(m) {
			if !restart {
				return ErrSourceChanged
			}
			t.stop(&CancelError{Reason: "restarted by the sender", cause: ErrDiscard})
			select {
			case <-t.over:
				continue
			case <-v.ctx.Done():
				return context.Cause(v.ctx)
			}
		}
		if again, err := v.serve(t, true); !again {
			return err
		}
	}
}

// join adds the channel to a transfer that the server knows.
func (v *session) join(m *join) error {
	v.srv.mu.Lock()
	t := v.srv.transfers[m.ID]
	v.srv.mu.Unlock()
	if t == nil {
		return ErrUnknownTransfer
	}
	t.mu.Lock()
	ok := subtle.ConstantTimeCompare([]byte(m.Token), []byte(t.token)) == 1
	t.mu.Unlock()
	if !ok {
		return ErrUnknownTransfer
	}
	v.srv.shaken(v)
	if again, err := v.serve(t, false); !again {
		return err
	}
	return ErrUnknownTransfer
}

// serve attaches the session to t once it is open, and tells the sender.
// again says that t was over already.
func (v *session) serve(t *transfer, takeover bool) (again bool, err error) {
	v.busy.Store(true)
	defer v.busy.Store(false)
	select {
	case <-t.ready:
	case <-v.ctx.Done():
		return false, context.Cause(v.ctx)
	}
	if t.store == nil { // it could not be opened
		select {
		case <-t.over:
			return false, t.err
		case <-v.ctx.Done():
			return false, context.Cause(v.ctx)
		}
	}
	if v.credit == 0 {
		if v.credit, err = v.srv.grant(t.manifest.BlockSize); err != nil {
			return false, err
		}
	}
	a, err := t.attach(v, takeover)
	if err != nil {
		return false, err
	}
	if a == nil {
		select {
		case <-t.over:
			if t.receipt == nil {
				return true, nil
			}
		case <-v.ctx.Done():
			return false, context.Cause(v.ctx)
		}
	}
	v.t.Store(t)
	if a != nil {
		if err := v.sayAccept(a); err != nil {
			return false, err
		}
		v.live.Store(true)
		t.mu.Lock()
		wanted := slices.Collect(t.wanted.all)
		t.mu.Unlock()
		v.ask(wanted)
	}
	v.tell()
	return false, nil
}

// sayAccept sends accept, in as many messages as the ranges take.
func (v *session) sayAccept(a *accept) error {
	have, check := a.Have, a.Check
	cut := func(r *ranges) ranges {
		k := min(len(*r), maxBatch)
		defer func() { *r = slices.Clip((*r)[k:]) }()
		return (*r)[:k]
	}
	a.Have, a.Check = cut(&have), cut(&check)
	a.More = len(have)+len(check) > 0
	if err := v.wire.text(v.ctx, a); err != nil {
		return err
	}
	for len(have)+len(check) > 0 {
		m := &held{Have: cut(&have), Check: cut(&check)}
		m.More = len(have)+len(check) > 0
		if err := v.wire.text(v.ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// transferFor returns the open transfer of m's ID, or starts it.
func (s *Server) transferFor(m *Manifest, restart bool, peer string) (*transfer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.transfers[m.ID]; t != nil {
		return t, nil
	}
	switch {
	case s.closing:
		return nil, ErrShutdown
	case len(s.transfers) >= s.opts.MaxTransfers:
		return nil, fmt.Errorf("%w: %d transfers", ErrBusy, len(s.transfers))
	}
	t := newTransfer(s, m, restart, peer)
	s.transfers[m.ID] = t
	go t.run()
	return t, nil
}

// sameSource reports whether two manifests describe the same source: all but
// the modes are equal.
func (m *Manifest) sameSource(o *Manifest) bool {
	return m.BlockSize == o.BlockSize && m.Size == o.Size && slices.EqualFunc(m.Entries, o.Entries, func(a, b Entry) bool {
		return a.Path == b.Path && a.Size == b.Size && a.Mode.IsDir() == b.Mode.IsDir() &&
			(a.ModTime.Equal(b.ModTime) || a.Mode.IsDir())
	})
}
