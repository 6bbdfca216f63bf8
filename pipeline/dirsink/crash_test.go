package dirsink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

// children are what the test binary does when it is run by a test, by the
// value of childVar.
var children = map[string]func(args []string) error{"writer": writer}

const childVar = "DIRSINK_TEST_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(childVar)
	child := children[name]
	if child == nil {
		child = systemChildren[name]
	}
	if child != nil {
		if err := child(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// childCommand returns the test binary as a child.
func childCommand(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	return cmd
}

// crashSource has many small files, so that the commit takes long, and some
// that span blocks.
func crashSource(seed byte) *source {
	files := []file{{"big", 20*blockSize + 1}, {"empty", 0}, {"d/", 0}}
	for i := range 300 {
		files = append(files, file{fmt.Sprintf("d/%d/%d", i%7, i), 1 + i*13})
	}
	return newSource(seed, append(files, file{"other", 7 * blockSize})...)
}

// writer receives crashSource(seed) into a directory, as far as it comes.
func writer(args []string) error {
	dir := args[0]
	seed, err := strconv.ParseUint(args[1], 10, 8)
	if err != nil {
		return err
	}
	sink, err := dirsink.New(dir, nil)
	if err != nil {
		return err
	}
	s := crashSource(byte(seed))
	st, err := sink.Open(context.Background(), s.m, false)
	if err != nil {
		return err
	}
	if st.Receipt() != nil {
		return st.Suspend()
	}
	h, err := st.Held(context.Background())
	if err != nil {
		return err
	}
	if len(h.Damage) > 0 {
		return fmt.Errorf("damaged by a kill: %w", errors.Join(h.Damage...))
	}
	work := make(chan uint32)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wg.Go(func() {
			for n := range work {
				errs[i] = errors.Join(errs[i], st.WriteBlock(n, s.block(n), s.hash(n)))
			}
		})
	}
	for _, n := range rand.Perm(int(s.blocks())) {
		if !slices.Contains(numbers(h), uint32(n)) {
			work <- uint32(n)
		}
	}
	close(work)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err = s.commit(st)
	return err
}

// checkVisible fails if a file under a final name is not what was sent.
func (s *source) checkVisible(t *testing.T, dir string) (found int) {
	t.Helper()
	for i, e := range s.m.Entries {
		got, err := os.ReadFile(filepath.Join(dir, e.Path))
		if e.Mode.IsDir() || errors.Is(err, os.ErrNotExist) {
			continue
		}
		found++
		if err != nil || !bytes.Equal(got, s.content(i)) {
			t.Fatalf("%s has %d bytes that are not the file of %d (%v)", e.Path, len(got), e.Size, err)
		}
	}
	return found
}

// TestKill kills a receiving process at random instants until the transfer is
// through all the same.
func TestKill(t *testing.T) {
	const enough, attempts = 12, 4
	rng := rand.New(rand.NewPCG(3, 14))
	kills, commits := 0, 0
	whole := time.Minute // what a transfer takes that is not killed, the shortest seen
	for seed := 0; kills < enough || seed < enough; seed++ {
		if seed == 20*enough {
			t.Fatalf("only %d kills in %d transfers", kills, seed)
		}
		dir := t.TempDir()
		s := crashSource(byte(seed))
		for attempt := 1; ; attempt++ {
			cmd := childCommand("writer", dir, strconv.Itoa(seed))
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			limit := time.Duration(rng.Int64N(int64(whole) * 2 / 3))
			if attempt > attempts || seed == 0 {
				limit = time.Minute
			}
			start := time.Now()
			killer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			killer.Stop()
			n := s.checkVisible(t, dir)
			if err == nil {
				if attempt == 1 {
					whole = min(whole, time.Since(start))
				}
				break
			}
			if cmd.ProcessState.Exited() {
				t.Fatalf("attempt %d: %v: %s", attempt, err, stderr.Bytes())
			}
			kills++
			if n > 0 {
				commits++
			}
		}
		s.check(t, dir)
	}
	t.Logf("%d kills, %d of them during a commit", kills, commits)
}

// countdown is a context that ends when it has been asked n times.
type countdown struct {
	context.Context
	n *int
}

func (c countdown) Err() error {
	*c.n--
	if *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestInterruptedCommit interrupts a commit after every number of steps, and
// lets another store finish it. A commit undoes nothing when it is interrupted,
// so this is what a crash leaves.
func TestInterruptedCommit(t *testing.T) {
	for policy, existing := range map[dirsink.Overwrite]string{dirsink.Refuse: "unrelated", dirsink.Rename: "a", dirsink.Replace: "a"} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			for steps := 0; ; steps++ {
				dir := t.TempDir()
				put(t, dir, existing, "old")
				s := newSource(1, file{"a", 10}, file{"d/", 0}, file{"d/b", blockSize}, file{"d/e/", 0}, file{"c", 0}, file{"f", 10})
				o := &dirsink.Options{Overwrite: policy}
				st := ready(t, dir, s, o)
				left := steps
				_, err := st.Commit(countdown{t.Context(), &left}, int64(len(s.stream)), s.root())
				if err == nil {
					if steps < 8 { // each of four files finished and placed
						t.Errorf("a commit of %d steps", steps)
					}
					return
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				st.Suspend()
				st = open(t, newSink(t, dir, o), s.m)
				if got := held(t, st); len(got) != int(s.blocks()) {
					t.Fatalf("after %d steps %v are held", steps, got)
				}
				r, err := s.commit(st)
				if err != nil {
					t.Fatalf("after %d steps: %v", steps, err)
				}
				for i, f := range slices.DeleteFunc(slices.Clone(s.m.Entries), func(e pipeline.Entry) bool { return e.Mode.IsDir() }) {
					got, err := os.ReadFile(filepath.Join(dir, r.Files[i].Name))
					if err != nil || int64(len(got)) != f.Size {
						t.Errorf("after %d steps %s: %v", steps, f.Path, err)
					}
				}
				if policy == dirsink.Rename && r.Files[0].Name != "a (1)" {
					t.Errorf("after %d steps: %v", steps, r.Files[0])
				}
				if fi, err := os.Stat(filepath.Join(dir, "d")); err != nil || !fi.ModTime().Equal(s.m.Entries[1].ModTime) {
					t.Errorf("after %d steps the directory has time %v", steps, fi.ModTime())
				}
			}
		})
	}
}

// TestKilledBetweenLinkAndRemove leaves a file under both of its names, as a
// crash does where there is no rename that refuses to replace.
func TestKilledBetweenLinkAndRemove(t *testing.T) {
	dir := t.TempDir()
	s := newSource(1, file{"a", 10}, file{"b", blockSize})
	st := ready(t, dir, s, nil)
	left := 3 // two files finished, one placed
	if _, err := st.Commit(countdown{t.Context(), &left}, int64(len(s.stream)), s.root()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	st.Suspend()
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(stateOf(dir, s.m), "data", "0")); err != nil {
		t.Fatal(err)
	}
	st = open(t, newSink(t, dir, nil), s.m)
	if got := held(t, st); len(got) != int(s.blocks()) {
		t.Errorf("held %v", got)
	}
	if _, err := s.commit(st); err != nil {
		t.Fatal(err)
	}
	s.check(t, dir)
}

// TestChangedBetweenCommits interrupts a commit and changes a file that is
// already in place: it belongs to the user, so it is received anew and, under
// the policy Refuse, its name is taken.
func TestChangedBetweenCommits(t *testing.T) {
	for name, change := range map[string]func(p string) error{
		"removed": os.Remove,
		"edited":  func(p string) error { return os.WriteFile(p, []byte("edited"), 0o644) },
		"silently": func(p string) error { // as a failing disk does it
			fi, err := os.Stat(p)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(p, make([]byte, fi.Size()), 0o644), os.Chtimes(p, fi.ModTime(), fi.ModTime()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newSource(1, file{"a", blockSize + 10}, file{"b", 2 * blockSize})
			st := ready(t, dir, s, nil)
			left := 3 // two files finished, one placed
			if _, err := st.Commit(countdown{t.Context(), &left}, int64(len(s.stream)), s.root()); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			st.Suspend()
			if got := visible(t, dir); !slices.Equal(got, []string{"a"}) {
				t.Fatalf("placed %v", got)
			}
			a := filepath.Join(dir, "a")
			if err := change(a); err != nil {
				t.Fatal(err)
			}
			sink := newSink(t, dir, nil)
			if name == "edited" {
				if _, err := sink.Open(t.Context(), s.m, false); !errors.Is(err, pipeline.ErrExists) {
					t.Fatalf("error %v", err)
				}
				os.Remove(a)
			}
			st = open(t, sink, s.m)
			h, err := st.Held(t.Context())
			if err != nil || !slices.Equal(numbers(h), []uint32{2, 3}) || len(h.Damage) != 2 {
				t.Fatalf("held %v, damage %v, %v", numbers(h), h.Damage, err)
			}
			s.write(t, st, 0, 1)
			if name == "silently" {
				if _, err := s.commit(st); !errors.Is(err, pipeline.ErrExists) {
					t.Fatalf("error %v", err)
				}
				os.Remove(a)
			}
			if _, err := s.commit(st); err != nil {
				t.Fatal(err)
			}
			s.check(t, dir)
		})
	}
}
