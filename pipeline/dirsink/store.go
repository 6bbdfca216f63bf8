package dirsink

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/pipeline"
)

// store is an open transfer.
type store struct {
	sink   *Sink
	m      *pipeline.Manifest
	layout *layout
	digest pipeline.Hash
	names  tree
	taken  map[string]bool // paths that an existing name would be taken for
	state  *state

	files   *partials
	journal *os.File
	seed    uint32
	begun   bool        // the journal is new
	named   atomic.Bool // the way to it is durable
	damage  []error     // found when opening

	plan    *plan        // what an earlier or failed commit had decided
	placed  map[int]bool // entries that it has put under their final names
	receipt *pipeline.Receipt

	mu     sync.Mutex // guards the journal's end and growth
	growth growth
}

// openStore builds the store of a locked state directory.
func (s *Sink) openStore(ctx context.Context, m *pipeline.Manifest, names tree, st *state, restart bool) (*store, error) {
	t := &store{
		sink: s, m: m, layout: newLayout(m), digest: digest(m), names: names, state: st,
		taken: make(map[string]bool), placed: make(map[int]bool),
	}
	if restart {
		if err := st.wipe(); err != nil {
			return nil, err
		}
	}
	if done, err := t.findReceipt(); done || err != nil {
		return t, err
	}
	if err := t.openJournal(); err != nil {
		return nil, err
	}
	t.files = newPartials(st.data, t.layout)
	if err := t.prepare(ctx); err != nil {
		t.files.close()
		t.journal.Close()
		if t.begun && len(t.damage) == 0 {
			err = errors.Join(err, st.wipe())
		}
		return nil, err
	}
	return t, nil
}

// prepare refuses what cannot end well, and reserves the space.
func (t *store) prepare(ctx context.Context) error {
	if err := writable(t.sink.top); err != nil {
		return err
	}
	if err := t.findPlaced(); err != nil {
		return err
	}
	if err := t.survey(ctx); err != nil {
		return err
	}
	if err := t.sink.claim(ctx, t); err != nil {
		return err
	}
	if err := t.reserveLarge(ctx); err != nil {
		t.sink.unclaim(t.m.ID)
		return err
	}
	return nil
}

// reserveLarge creates the large files, so that a full disk shows now.
func (t *store) reserveLarge(ctx context.Context) error {
	for i := range t.m.Entries {
		e := &t.m.Entries[i]
		if e.Size < reservedFile || t.placed[i] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := t.files.acquire(i, perm(e, t.sink.opts.Mask))
		if err != nil {
			return classifyEntry(e.Path, err)
		}
		t.files.release(f)
	}
	return nil
}

// openJournal opens or begins the journal. It fails with
// [pipeline.ErrSourceChanged] if it is that of another manifest.
func (t *store) openJournal() error {
	var id [16]byte
	if _, err := hex.Decode(id[:], []byte(t.m.ID)); err != nil {
		return err
	}
	f, err := t.state.dir.OpenFile(journalName, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if t.state.hasData() {
			t.damage = append(t.damage, errNoJournal)
		}
		return t.beginJournal(id)
	}
	if err != nil {
		return err
	}
	b := make([]byte, headerSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.Join(err, f.Close())
	}
	h, err := decodeHeader(b[:n])
	if err == nil && h.id != id {
		err = errForeignJournal
	}
	if err != nil {
		t.damage = append(t.damage, err)
		f.Close()
		return t.beginJournal(id)
	}
	if h.digest != t.digest {
		f.Close()
		return pipeline.ErrSourceChanged
	}
	t.journal, t.seed = f, h.seed()
	return nil
}

// beginJournal replaces the journal by an empty one.
func (t *store) beginJournal(id [16]byte) error {
	h := journalHeader{id: id, digest: t.digest}
	rand.Read(h.nonce[:])
	if err := writeFile(t.state.dir, journalName, h.encode(), false); err != nil {
		return err
	}
	f, err := t.state.dir.OpenFile(journalName, os.O_RDWR|os.O_APPEND, 0)
	t.journal, t.seed, t.begun = f, h.seed(), true
	return err
}

// Receipt implements [pipeline.Store].
func (t *store) Receipt() *pipeline.Receipt { return t.receipt }

// WriteBlock implements [pipeline.Store]. Errors match ErrNoSpace, ErrQuota,
// ErrLimit or ErrReadOnly of package pipeline and name the entry; the block can
// be written again when the cause is gone.
func (t *store) WriteBlock(n uint32, data []byte, hash pipeline.Hash) error {
	want, ok := t.layout.length(n)
	if !ok || len(data) > want || len(data) == 0 || t.m.Size >= 0 && len(data) != want {
		return fmt.Errorf("pipeline: block %d of %d bytes is not one of the transfer", n, len(data))
	}
	if err := writable(t.sink.top); err != nil { // which files that are open do not feel
		return classify(err)
	}
	if t.m.Size < 0 {
		if err := t.grow(int64(n)*int64(t.m.BlockSize) + int64(len(data))); err != nil {
			return classifyEntry(t.m.Entries[0].Path, err)
		}
	}
	for s := range t.layout.spans(n, len(data)) {
		if t.placed[s.entry] {
			continue
		}
		e := &t.m.Entries[s.entry]
		if err := t.files.write(s, data[s.lo:s.hi], perm(e, t.sink.opts.Mask)); err != nil {
			return classifyEntry(e.Path, err)
		}
	}
	rec := record{block: n, length: uint32(len(data)), hash: hash}
	return classify(t.append(&rec))
}

// append journals a block. If the record is cut, so is the journal, so that
// the next one does not follow half a record.
func (t *store) append(rec *record) error {
	b := rec.encode(t.seed)
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.journal.Write(b[:])
	if err != nil && n > 0 {
		end, seekErr := t.journal.Seek(0, io.SeekEnd)
		if seekErr != nil {
			return errors.Join(err, seekErr)
		}
		return errors.Join(err, t.journal.Truncate(end-int64(n)))
	}
	return err
}

// Sync implements [pipeline.Store]. Once it failed it fails always, because
// the operating system may have dropped what was written: suspend and open
// the transfer again, which reads everything.
func (t *store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.files.sync(false); err != nil {
		return classify(err)
	}
	if err := syncData(t.journal); err != nil {
		return classify(err)
	}
	if t.named.Load() {
		return nil
	}
	if err := t.state.syncNames(); err != nil {
		return classify(err)
	}
	t.named.Store(true)
	return nil
}

// Suspend implements [pipeline.Store].
func (t *store) Suspend() error {
	t.closeFiles()
	t.state.close()
	return nil
}

// Discard implements [pipeline.Store].
func (t *store) Discard() error {
	t.closeFiles()
	return classify(t.state.remove())
}

func (t *store) closeFiles() {
	t.sink.unclaim(t.m.ID)
	if t.files != nil {
		t.files.close()
		t.journal.Close()
	}
}
