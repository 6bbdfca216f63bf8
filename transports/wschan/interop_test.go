package wschan

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// python returns an interpreter that has the websockets module.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import websockets").Run() == nil {
			return name
		}
	}
	const missing = "no python3 with the websockets module: install python3-websockets"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

var (
	fileSizes  = []int{0, 1, 49151, 49152, 49153, 98304, 16 << 20}
	frameSizes = []int{400_000, 400_000, 400_000, 400_000, 400_000}
)

// TestForeignPeer exchanges files and frames with a library that is not ours,
// as its server and as its client.
func TestForeignPeer(t *testing.T) {
	interpreter := python(t)
	for _, role := range []string{"client", "server"} {
		for _, tt := range []struct {
			scenario string // the peer's
			sizes    []int
			play     func(*testing.T, *Channel)
		}{
			{"upload", fileSizes, receiveFiles},
			{"download", fileSizes, uploadFiles},
			{"frames", frameSizes, receiveFrames},
			{"collect", frameSizes, sendFrames},
		} {
			t.Run(fmt.Sprintf("foreign=%s/%s", role, tt.scenario), func(t *testing.T) {
				args := []string{tt.scenario}
				for _, size := range tt.sizes {
					args = append(args, strconv.Itoa(size))
				}
				script := filepath.Join("testdata", "peer.py")
				if role == "client" {
					l := listen(t, nil)
					wait := start(t, exec.CommandContext(t.Context(), interpreter,
						append([]string{script, "connect", l.URL() + "?label=video_upload"}, args...)...))
					ch := accept(t, l)
					if p, _ := transport.PropertiesOf(ch); p.Label != "video_upload" {
						t.Errorf("label %q", p.Label)
					}
					tt.play(t, ch)
					wait()
					return
				}
				cmd := exec.CommandContext(t.Context(), interpreter, append([]string{script, "serve"}, args...)...)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				wait := start(t, cmd)
				port, err := bufio.NewReader(out).ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				tt.play(t, dial(t, "ws://127.0.0.1:"+strings.TrimSpace(port)+"/", &Options{Label: "video_upload"}))
				wait()
			})
		}
	}
}

// start runs cmd and returns what waits for its success.
func start(t *testing.T, cmd *exec.Cmd) (wait func()) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait = sync.OnceFunc(func() {
		if err := cmd.Wait(); err != nil {
			t.Errorf("foreign peer: %v\n%s", err, &stderr)
		}
	})
	t.Cleanup(wait)
	return wait
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func random(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

// wantText receives the hashes that the peer has seen or sent.
func wantText(t *testing.T, ch *Channel, want ...string) {
	t.Helper()
	if m := receive(t, ch); !m.Text || string(m.Data) != strings.Join(want, " ") {
		t.Errorf("got %q, text %v, want %q", m.Data, m.Text, want)
	}
}

func receiveFiles(t *testing.T, ch *Channel) {
	for _, size := range fileSizes {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got, err := chunker.ReceiveFile(t.Context(), ch, f, nil); err != nil || got != int64(size) {
			t.Fatalf("file of %d bytes: %d, %v", size, got, err)
		}
		data, err := io.ReadAll(f)
		if err != nil || len(data) != size {
			t.Fatalf("file of %d bytes: read %d, %v", size, len(data), err)
		}
		wantText(t, ch, hash(data))
	}
	wantEnd(t, ch, io.EOF)
}

func uploadFiles(t *testing.T, ch *Channel) {
	for _, size := range fileSizes {
		data := random(size)
		u, err := chunker.NewUploader(ch, bytes.NewReader(data), int64(size), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantText(t, ch, hash(data))
	}
	if err := ch.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func receiveFrames(t *testing.T, ch *Channel) {
	r := chunker.NewReassembler(nil)
	got := make([]string, len(frameSizes))
	for done := 0; done < len(frameSizes); {
		f, complete, err := r.Add(receive(t, ch).Data)
		if err != nil {
			t.Fatal(err)
		}
		if complete {
			done++
			got[f.ID] = hash(f.Payload)
		}
	}
	wantText(t, ch, got...)
	wantEnd(t, ch, io.EOF)
}

func sendFrames(t *testing.T, ch *Channel) {
	want := make([]string, len(frameSizes))
	var senders sync.WaitGroup
	for id, size := range frameSizes {
		senders.Go(func() {
			data := random(size)
			want[id] = hash(data)
			if err := chunker.SendFrame(t.Context(), ch, uint32(id), data, nil); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	wantText(t, ch, want...)
	if err := ch.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
