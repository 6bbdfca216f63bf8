package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// tree writes files below a new directory and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFiles(t *testing.T) {
	big := string(noise(200 * kib))
	dir := tree(t, map[string]string{
		"run/a": "alpha", "run/empty": "", "run/sub/big": big, "run/sub/z": "omega", "single": "one",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "run", "link")); err != nil {
		t.Fatal(err)
	}
	d := newDock(t, nil)
	r, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)},
		pipeline.Files(filepath.Join(dir, "run"), filepath.Join(dir, "single")), &pipeline.SendOptions{BlockSize: 64 * kib})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"run/a": "alpha", "run/empty": "", "run/sub/big": big, "run/sub/z": "omega", "single": "one"}
	for name, content := range want {
		d.arrived(name, []byte(content))
	}
	if names := d.sink.Names(); len(names) != len(want) || r.Files != len(want) {
		t.Errorf("%d files: %q", r.Files, names)
	}
}

// TestManyFiles sends a manifest that takes several messages.
func TestManyFiles(t *testing.T) {
	files := make(map[string]string)
	for i := range 3000 {
		files[fmt.Sprintf("d/%d/file-with-a-rather-long-name-%d", i%7, i)] = fmt.Sprint("content ", i)
	}
	dir := tree(t, files)
	d := newDock(t, nil)
	if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Files(filepath.Join(dir, "d")), nil); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		d.arrived(name, []byte(content))
	}
}

func TestSourceRefused(t *testing.T) {
	dir := tree(t, map[string]string{"f": "x"})
	file := filepath.Join(dir, "f")
	for name, tt := range map[string]struct {
		src  pipeline.Source
		want error
	}{
		"nothing":        {pipeline.Files(), pipeline.ErrInvalid},
		"missing":        {pipeline.Files(filepath.Join(dir, "g")), os.ErrNotExist},
		"same name":      {pipeline.Files(file, file), pipeline.ErrName},
		"root":           {pipeline.Files("/"), pipeline.ErrInvalid},
		"bad name":       {pipeline.Stream("../x", strings.NewReader("")), pipeline.ErrName},
		"failing reader": {pipeline.Stream("x", io.MultiReader(strings.NewReader("abc"), failing{})), errFailing},
		"negative size":  {pipeline.Blob("x", strings.NewReader(""), -5, ""), pipeline.ErrInvalid},
		"shorter":        {pipeline.Blob("x", strings.NewReader("abc"), 5, ""), pipeline.ErrSourceChanged},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, nil)
			if _, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, tt.src, nil); !errors.Is(err, tt.want) {
				t.Errorf("Send returned %v, want %v", err, tt.want)
			}
		})
	}
}

var errFailing = errors.New("test: disk on fire")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFailing }

// TestSourceChanges changes the file in mid-transfer and between attempts.
func TestSourceChanges(t *testing.T) {
	change := map[string]func(t *testing.T, file string){
		"appended": func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("more")
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		},
		"truncated": func(t *testing.T, file string) {
			if err := os.Truncate(file, 300*kib); err != nil {
				t.Fatal(err)
			}
		},
		"overwritten": func(t *testing.T, file string) {
			if err := os.WriteFile(file, make([]byte, 512*kib), 0o644); err != nil {
				t.Fatal(err)
			}
			later := time.Now().Add(time.Minute)
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range change {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(tree(t, map[string]string{"f": string(noise(512 * kib))}), "f")
			d := newDock(t, nil)
			opts := &pipeline.SendOptions{BlockSize: 64 * kib, ChunkSize: 64 * kib, MaxBuffered: 256 * kib}
			var once sync.Once
			var messages atomic.Int64
			route := d.tapped("a", func(*memchan.Channel) {
				if messages.Add(1) == 12 {
					once.Do(func() { change(t, file) })
				}
			})
			_, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts)
			if !errors.Is(err, pipeline.ErrSourceChanged) {
				t.Fatalf("changed while being sent: Send returned %v", err)
			}
			_, err = pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts)
			var p *pipeline.PeerError
			if !errors.Is(err, pipeline.ErrSourceChanged) || !errors.As(err, &p) {
				t.Fatalf("offered again: Send returned %v", err)
			}
			opts.Restart = true
			if _, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Files(file), opts); err != nil {
				t.Fatalf("restarted: Send returned %v", err)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d.arrived("f", want)
		})
	}
}

// TestStreamEndless sends a stream much larger than the buffers, over links
// that die.
func TestStreamEndless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		data := noise(8<<20 + 3)
		var count atomic.Int64
		route := d.tapped("a", func(ch *memchan.Channel) {
			if count.Add(1)%300 == 0 {
				_ = ch.Abort()
			}
		})
		opts := &pipeline.SendOptions{BlockSize: 64 * kib, ChunkSize: 16 * kib, MaxBuffered: 512 * kib}
		r, err := pipeline.Send(t.Context(), []pipeline.Route{route}, pipeline.Stream("in", bytes.NewBuffer(bytes.Clone(data))), opts)
		if err != nil {
			t.Fatal(err)
		}
		d.arrived("in", data)
		if r.Sent == r.Size {
			t.Error("no link died")
		}
	})
}

// TestStreamLost makes the receiver forget what it acknowledged of a stream.
func TestStreamLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, nil)
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(noise(1 << 20))
			time.Sleep(5 * time.Second)
			d.kill()
			d.mu.Lock()
			d.srv = pipeline.NewServer(&pipeline.MemorySink{}, nil)
			d.mu.Unlock()
			_, err := pw.Write(noise(1 << 20))
			_ = pw.CloseWithError(err)
		}()
		_, err := pipeline.Send(t.Context(), []pipeline.Route{d.route("a", nil)}, pipeline.Stream("in", pr), &pipeline.SendOptions{BlockSize: 64 * kib})
		if !errors.Is(err, pipeline.ErrLost) {
			t.Errorf("Send returned %v", err)
		}
		_ = pr.Close()
	})
}
