package dirsink

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"lukechampine.com/blake3"

	"github.com/chunkferry/chunkferry/pipeline"
)

// plan is what a commit has decided, written down before it changes anything.
// The same file, renamed, is the receipt.
type plan struct {
	Manifest pipeline.Hash `json:"manifest"`
	Size     int64         `json:"size"`
	Root     pipeline.Hash `json:"root"`
	Files    []planned     `json:"files"`
	Dirs     []int         `json:"dirs"` // entries of the directories that it creates

	byEntry map[int]int // index in Files
}

// planned is a file and its final name. By size and time it is recognised
// there.
type planned struct {
	Entry   int    `json:"entry"`
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"` // nanoseconds since 1970
}

func (p *plan) add(f planned) {
	if p.byEntry == nil {
		p.byEntry = make(map[int]int)
	}
	p.byEntry[f.Entry] = len(p.Files)
	p.Files = append(p.Files, f)
}

func (p *plan) finalName(entry int) string { return p.Files[p.byEntry[entry]].Name }

// receipt returns what Commit returns.
func (p *plan) receipt(m *pipeline.Manifest) *pipeline.Receipt {
	r := &pipeline.Receipt{Size: p.Size, Root: p.Root}
	for i := range m.Entries {
		if !m.Entries[i].Mode.IsDir() {
			r.Files = append(r.Files, pipeline.Committed{Path: m.Entries[i].Path, Name: p.finalName(i)})
		}
	}
	return r
}

// save writes the plan durably, with its hash in the first line.
func (p *plan) save(dir *os.Root) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sum := blake3.Sum256(text)
	return writeFile(dir, commitName, fmt.Appendf(nil, "%x\n%s", sum, text), true)
}

// loadPlan reads a plan or receipt of the manifest with the given digest. It
// returns nil if there is none and fails with errDamagedPlan if it is damaged
// or of another manifest.
func loadPlan(dir *os.Root, name string, m *pipeline.Manifest, digest pipeline.Hash) (*plan, error) {
	b, err := dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	line, text, _ := bytes.Cut(b, []byte("\n"))
	sum := blake3.Sum256(text)
	p := new(plan)
	if string(line) != hex.EncodeToString(sum[:]) || json.Unmarshal(text, p) != nil || p.Manifest != digest {
		return nil, errDamagedPlan
	}
	files := p.Files
	p.Files = nil
	for _, f := range files {
		if f.Entry < 0 || f.Entry >= len(m.Entries) {
			return nil, errDamagedPlan
		}
		p.add(f)
	}
	for i := range m.Entries {
		if _, ok := p.byEntry[i]; !ok && !m.Entries[i].Mode.IsDir() {
			return nil, errDamagedPlan
		}
	}
	return p, nil
}

var errDamagedPlan = errors.New("what an earlier commit had written down is damaged; it begins anew")

// inPlace reports whether the file is under its final name as it was put there.
func (f *planned) inPlace(top *os.Root) bool {
	fi, err := top.Lstat(f.Name)
	return err == nil && fi.Mode().IsRegular() && fi.Size() == f.Size && fi.ModTime().UnixNano() == f.ModTime
}

// findReceipt reports whether the transfer is finished and its files are still
// in place. If they are not, the receipt is worth nothing and is removed with
// everything else.
func (t *store) findReceipt() (bool, error) {
	p, err := loadPlan(t.state.dir, receiptName, t.m, t.digest)
	if p == nil && err == nil {
		return false, nil
	}
	if err != nil && !errors.Is(err, errDamagedPlan) {
		return false, err
	}
	whole := err == nil
	for i := 0; whole && i < len(p.Files); i++ {
		whole = p.Files[i].inPlace(t.sink.top)
	}
	if !whole {
		return false, t.state.wipe()
	}
	t.receipt = p.receipt(t.m)
	return true, nil
}

// findPlaced takes up what an interrupted commit has done.
func (t *store) findPlaced() error {
	p, err := loadPlan(t.state.dir, commitName, t.m, t.digest)
	if errors.Is(err, errDamagedPlan) {
		t.damage = append(t.damage, err)
		return t.state.dir.Remove(commitName)
	}
	if p == nil || err != nil {
		return err
	}
	t.plan = p
	for i := range p.Files {
		f := &p.Files[i]
		name := t.files.name(f.Entry)
		data, err := t.state.data.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if f.inPlace(t.sink.top) {
				t.placed[f.Entry] = true
			}
		case err != nil:
			return err
		default: // a link that was made and not yet moved
			final, err := t.sink.top.Lstat(f.Name)
			if err == nil && os.SameFile(data, final) {
				if err := t.state.data.Remove(name); err != nil {
					return err
				}
				t.placed[f.Entry] = true
			}
		}
	}
	return nil
}

// choose returns the final path of entry i under the policy. used holds the
// paths that are chosen already, or known to be taken.
func (t *store) choose(i int, dirs *targetDirs, used map[string]bool) (string, error) {
	p := t.m.Entries[i].Path
	dir, name := path.Split(p)
	parent, err := dirs.find(path.Clean(dir))
	if err != nil {
		return "", err
	}
	exists := func(name string) (fs.FileInfo, error) {
		if parent == nil {
			return nil, nil
		}
		fi, err := parent.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return fi, err
	}
	fi, err := exists(name)
	switch {
	case err != nil:
		return "", err
	case fi == nil && !used[p] && !t.taken[p]:
		return p, nil
	case t.sink.opts.Overwrite == Replace && fi.IsDir():
		return "", fmt.Errorf("%w: it is a directory", pipeline.ErrExists)
	case t.sink.opts.Overwrite == Replace:
		return p, nil
	case t.sink.opts.Overwrite == Refuse:
		return "", pipeline.ErrExists
	}
	siblings := t.names[path.Clean(dir)]
	for n := 1; n <= maxCopies; n++ {
		next := numbered(name, n)
		full := path.Join(dir, next)
		if _, sent := meets(siblings, next); sent || used[full] {
			continue
		}
		if fi, err := exists(next); fi == nil || err != nil {
			return full, err
		}
	}
	return "", fmt.Errorf("%w: so are %d numbered names", pipeline.ErrExists, maxCopies)
}

// maxCopies bounds the search for a name under the policy Rename.
const maxCopies = 10_000
