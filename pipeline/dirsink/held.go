package dirsink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/pipeline"
)

// maxDamage bounds how many damaged blocks are named one by one.
const maxDamage = 100

// Held implements [pipeline.Store]. It reads with as many workers as there are
// processors, each holding one block.
func (t *store) Held(ctx context.Context) (pipeline.Held, error) {
	held := pipeline.Held{Damage: t.damage}
	records, damage, err := t.readJournal()
	held.Damage = append(held.Damage, damage...)
	if err != nil {
		return held, classify(err)
	}
	problems, err := t.verify(ctx, records)
	if err != nil {
		return held, err
	}
	t.suspect(records, problems)
	more := 0
	for i, r := range records {
		switch {
		case problems[i] == nil:
			held.Blocks = append(held.Blocks, pipeline.BlockState{Block: r.block, Size: int(r.length), Hash: r.hash})
		case len(held.Damage) < maxDamage:
			held.Damage = append(held.Damage, problems[i])
		default:
			more++
		}
	}
	if more > 0 {
		held.Damage = append(held.Damage, fmt.Errorf("and %d more blocks", more))
	}
	return held, nil
}

// readJournal returns the last record of each block, ascending, and mends the
// end of the journal so that records can follow.
func (t *store) readJournal() (records []record, damage []error, err error) {
	fi, err := t.journal.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := fi.Size() - int64(headerSize)
	outside := 0
	damage, err = readRecords(io.NewSectionReader(t.journal, int64(headerSize), size), t.seed, func(r record) {
		if want, ok := t.layout.length(r.block); ok && r.length > 0 && int(r.length) <= want {
			records = append(records, r)
		} else {
			outside++
		}
	})
	if err != nil {
		return nil, damage, err
	}
	if outside > 0 {
		damage = append(damage, fmt.Errorf("journal: %d records name blocks that the transfer does not have", outside))
	}
	if cut := size % recordSize; cut > 0 {
		if err := t.journal.Truncate(fi.Size() - cut); err != nil {
			return nil, damage, err
		}
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.block, b.block) })
	last := records[:0]
	for i, r := range records {
		if i+1 == len(records) || records[i+1].block != r.block {
			last = append(last, r)
		}
	}
	return last, damage, nil
}

// verify reads every recorded block and returns what is wrong with it.
func (t *store) verify(ctx context.Context, records []record) ([]error, error) {
	problems := make([]error, len(records))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(records)) {
		workers.Go(func() {
			r := reader{store: t, buf: make([]byte, t.m.BlockSize)}
			defer r.close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(records) {
					return
				}
				problems[i] = r.check(&records[i])
			}
		})
	}
	workers.Wait()
	return problems, ctx.Err()
}

// reader reads blocks from wherever their entries are now.
type reader struct {
	store *store
	buf   []byte
	entry int
	file  *os.File
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// check returns what is wrong with a recorded block.
func (r *reader) check(rec *record) error {
	t := r.store
	data := r.buf[:rec.length]
	for s := range t.layout.spans(rec.block, len(data)) {
		err := r.open(s.entry)
		if err == nil {
			_, err = r.file.ReadAt(data[s.lo:s.hi], s.offset)
		}
		if errors.Is(err, io.EOF) {
			return t.blockError(rec, s, "is cut")
		}
		if err != nil {
			return t.blockError(rec, s, fmt.Sprintf("cannot be read: %v", bare(err)))
		}
	}
	if pipeline.VerifyBlock(rec.block, t.m.BlockSize, data, rec.hash) {
		return nil
	}
	var first span
	for first = range t.layout.spans(rec.block, len(data)) {
		break
	}
	return t.blockError(rec, first, "reads back differently")
}

func (r *reader) open(entry int) (err error) {
	if r.file != nil && r.entry == entry {
		return nil
	}
	r.close()
	r.entry = entry
	if t := r.store; t.placed[entry] {
		r.file, err = t.sink.top.Open(t.plan.finalName(entry))
	} else {
		r.file, err = t.state.data.Open(t.files.name(entry))
	}
	return err
}

func (t *store) blockError(rec *record, s span, what string) error {
	return fmt.Errorf("block %d (%q from byte %d on) %s", rec.block, t.m.Entries[s.entry].Path, s.offset, what)
}

// suspect gives up the entries under their final names that a bad block
// belongs to, and with each all of its blocks: the file is not ours to mend, so
// the entry is received anew.
func (t *store) suspect(records []record, problems []error) {
	if len(t.placed) == 0 {
		return
	}
	given := make(map[int]bool)
	for i := range records {
		if problems[i] == nil {
			continue
		}
		if t.missing(&records[i], given) {
			continue
		}
		for s := range t.layout.spans(records[i].block, int(records[i].length)) {
			if t.placed[s.entry] {
				delete(t.placed, s.entry)
				given[s.entry] = true
			}
		}
	}
	for i := range records {
		if problems[i] != nil {
			continue
		}
		for s := range t.layout.spans(records[i].block, int(records[i].length)) {
			if given[s.entry] {
				problems[i] = t.blockError(&records[i], s, "is received anew with its file")
			}
		}
	}
}

// missing reports whether part of a block is in no file at all, which explains
// why it is bad. given are the entries that were in place until now.
func (t *store) missing(rec *record, given map[int]bool) bool {
	for s := range t.layout.spans(rec.block, int(rec.length)) {
		if t.placed[s.entry] || given[s.entry] {
			continue
		}
		if _, err := t.state.data.Lstat(t.files.name(s.entry)); err != nil {
			return true
		}
	}
	return false
}
