package dirsink_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

var systemChildren = map[string]func(args []string) error{
	"full disk":       fullDisk,
	"file size limit": fileSizeLimit,
}

// checkSparse fails if the file occupies more than limit bytes.
func checkSparse(t *testing.T, name string, limit int64) {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := fi.Sys().(*syscall.Stat_t).Blocks * 512; n > limit {
		t.Errorf("%d bytes allocated, want at most %d", n, limit)
	}
}

func TestReserved(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"large", 64 << 20})
	open(t, newSink(t, dir, nil), s.m)
	fi, err := os.Stat(filepath.Join(stateOf(dir, s.m), "data", "0"))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	want := int64(64 << 20)
	if st.Type == unix.TMPFS_MAGIC {
		want = 0
	}
	if n := fi.Sys().(*syscall.Stat_t).Blocks * 512; n < want || n > want+1<<20 {
		t.Errorf("%d bytes allocated when the transfer is opened, want %d", n, want)
	}
}

// resumed receives s as far as it goes, expects the error want, removes the
// cause and receives the rest. It says which entry the error names.
func resumed(dir string, s *source, want error, entry string, remove func() error) error {
	ctx := context.Background()
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	st, err := sink.Open(ctx, s.m, false)
	if err != nil {
		return err
	}
	if _, err := st.Held(ctx); err != nil {
		return err
	}
	written := uint32(0)
	for ; written < s.blocks(); written++ {
		if err = st.WriteBlock(written, s.block(written), s.hash(written)); err != nil {
			break
		}
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("block %d: error %w, want %w", written, err, want)
	}
	if e, ok := errors.AsType[*pipeline.EntryError](err); !ok || e.Path != entry || strings.Contains(err.Error(), dir) {
		return fmt.Errorf("error %w names not only %q", err, entry)
	}
	if written == 0 {
		return errors.New("failed at the first block")
	}
	if err := st.Suspend(); err != nil {
		return err
	}
	// Opening works without space; it adds nothing.
	if st, err = sink.Open(ctx, s.m, false); err != nil {
		if !errors.Is(err, want) {
			return fmt.Errorf("opened again: %w", err)
		}
		if err := remove(); err != nil {
			return err
		}
		if st, err = sink.Open(ctx, s.m, false); err != nil {
			return err
		}
	} else if err := remove(); err != nil {
		return err
	}
	h, err := st.Held(ctx)
	if err != nil || len(h.Damage) > 0 || len(h.Blocks) != int(written) {
		return fmt.Errorf("%d of %d blocks held, damage %w, %w", len(h.Blocks), written, errors.Join(h.Damage...), err)
	}
	for n := written; n < s.blocks(); n++ {
		if err := st.WriteBlock(n, s.block(n), s.hash(n)); err != nil {
			return err
		}
	}
	if _, err := s.commit(st); err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(dir, s.m.Entries[0].Path))
	if err == nil && string(got) != string(s.content(0)) {
		err = errors.New("content differs")
	}
	return err
}

// fileSizeLimit runs into the largest size of a file.
func fileSizeLimit(args []string) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	low := unix.Rlimit{Cur: 10*blockSize + 100, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		return err
	}
	s := newSource(1, file{"a", 20 * blockSize}).unknown()
	return resumed(args[0], s, pipeline.ErrLimit, "a", func() error { return unix.Setrlimit(unix.RLIMIT_FSIZE, &old) })
}

func TestFileSizeLimit(t *testing.T) {
	if out, err := childCommand("file size limit", t.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// fullDisk mounts a small file system, which only this process sees, and runs
// into its end; then it makes it read-only.
func fullDisk(args []string) error {
	dir := args[0]
	const flags = unix.MS_NODEV | unix.MS_NOSUID
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, "size=4m"); err != nil {
		return err
	}
	filler := filepath.Join(dir, "filler")
	fill := func(size int) error { return os.WriteFile(filler, make([]byte, size), 0o600) }
	empty := func() error { return os.Remove(filler) }
	for name, s := range map[string]*source{
		"unknown": newSource(1, file{"a", 20 * blockSize}).unknown(),
		"small":   newSource(2, file{"b", 10 * blockSize}, file{"c", 100}),
	} {
		err := fill(0)
		if err == nil && s.m.Size < 0 {
			err = fill(3 << 20)
		}
		if err != nil {
			return err
		}
		if s.m.Size < 0 {
			err = resumed(dir, s, pipeline.ErrNoSpace, "a", empty)
		} else {
			err = filledMeanwhile(dir, s, fill, empty)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.Remove(filepath.Join(dir, s.m.Entries[0].Path)); err != nil {
			return err
		}
	}
	return readOnly(dir, flags)
}

// filledMeanwhile lets another program take the space in mid-transfer.
func filledMeanwhile(dir string, s *source, fill func(int) error, empty func() error) error {
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		return err
	}
	st, err := sink.Open(context.Background(), s.m, false)
	if err != nil {
		return err
	}
	for n := range uint32(5) {
		if err := st.WriteBlock(n, s.block(n), s.hash(n)); err != nil {
			return err
		}
	}
	if err := fill(8 << 20); !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("the disk is not full: %w", err)
	}
	err = st.WriteBlock(5, s.block(5), s.hash(5))
	if !errors.Is(err, pipeline.ErrNoSpace) || !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("error %w", err)
	}
	if err := empty(); err != nil {
		return err
	}
	for n := uint32(5); n < s.blocks(); n++ { // the same store goes on
		if err := st.WriteBlock(n, s.block(n), s.hash(n)); err != nil {
			return err
		}
	}
	_, err = s.commit(st)
	return err
}

// readOnly makes the file system read-only in mid-transfer.
func readOnly(dir string, flags uintptr) error {
	ctx := context.Background()
	s := newSource(3, file{"d/a", 5 * blockSize})
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		return err
	}
	st, err := sink.Open(ctx, s.m, false)
	if err != nil {
		return err
	}
	if err := st.WriteBlock(0, s.block(0), s.hash(0)); err != nil {
		return err
	}
	if err := st.Suspend(); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, m := range []*pipeline.Manifest{s.m, newSource(4, file{"b", 1}).m} {
		if _, err := sink.Open(ctx, m, false); !errors.Is(err, pipeline.ErrReadOnly) || !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("error %w, want ErrReadOnly", err)
		}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags|unix.MS_REMOUNT, ""); err != nil {
		return err
	}
	if st, err = sink.Open(ctx, s.m, false); err != nil {
		return err
	}
	h, err := st.Held(ctx)
	if err != nil || len(h.Blocks) != 1 {
		return fmt.Errorf("held %v: %w", h, err)
	}
	for n := range s.blocks() {
		if err := st.WriteBlock(n, s.block(n), s.hash(n)); err != nil {
			return err
		}
	}
	_, err = s.commit(st)
	return err
}

// TestFullDisk needs no privileges, but user namespaces (user_namespaces(7)).
func TestFullDisk(t *testing.T) {
	cmd := childCommand("full disk", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
