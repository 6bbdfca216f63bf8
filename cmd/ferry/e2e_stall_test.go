//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/chunker"
	"github.com/chunkferry/chunkferry/transport"
)

// The slow receiver of TestE2EStall.
const (
	stallSize = 4 << 30 // bytes offered by the sender
	slowRate  = 10e6    // bytes a second taken at first
	slowFor   = 20 * time.Second
	stopFor   = 20 * time.Second
	stallEnv  = "FERRY_TEST_STALL"
)

// stallReport is what one stalled transfer measured.
type stallReport struct {
	GrowthBytes int64   // peak resident memory of both sides above the open channel's
	BackSeconds float64 // from the end of the pause to the first byte sent after it
	TakenBefore int64   // bytes received before the pause
	SentAtPause int64   // bytes the sender had handed over by the end of the pause
	Error       string
}

// TestE2EStall sends 4 GiB to a receiver that takes 10 MB/s for 20 s and then
// nothing for 20 s: memory stays bounded and the flow comes back. Each transport
// runs in a process of its own, sender and receiver together.
func TestE2EStall(t *testing.T) {
	if name := os.Getenv(stallEnv); name != "" {
		stallChild(t, name)
		return
	}
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			limit := int64(64 << 20)
			if a.name == "webrtc" {
				limit = 128 << 20
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestE2EStall$", "-test.timeout=3m")
			cmd.Env = append(os.Environ(), stallEnv+"="+a.name)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, line, _ := strings.Cut(string(out), "STALL ")
			line, _, _ = strings.Cut(line, "\n")
			var r stallReport
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			t.Logf("memory grew by %.1f MiB, flow back after %.2f s, %d MB taken before the pause", float64(r.GrowthBytes)/(1<<20), r.BackSeconds, r.TakenBefore/1e6)
			if r.Error != "" {
				t.Error(r.Error)
			}
			if want := int64(slowRate * slowFor.Seconds() * 0.8); r.TakenBefore < want {
				t.Errorf("%d bytes taken before the pause, want at least %d", r.TakenBefore, want)
			}
			if r.GrowthBytes > limit {
				t.Errorf("memory grew by %d bytes, at most %d", r.GrowthBytes, limit)
			}
			if r.BackSeconds > 2 {
				t.Errorf("the flow was back after %.2f s, at most 2", r.BackSeconds)
			}
		})
	}
}

func stallChild(t *testing.T, name string) {
	chosen, err := chooseAdapters([]string{name}, func(adapter) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	r, err := measureStall(t.Context(), chosen[0])
	if err != nil {
		r.Error = err.Error()
	}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("STALL %s\n", line)
}

func measureStall(ctx context.Context, a adapter) (r stallReport, err error) {
	from, to, err := a.pair(ctx)
	if err != nil {
		return r, err
	}
	defer transport.Abort(to)
	defer transport.Abort(from)
	debug.FreeOSMemory()
	before := resident("VmRSS:")

	var sent atomic.Int64
	up, err := chunker.NewUploader(from, rand.NewChaCha8([32]byte{2}), stallSize, &chunker.UploaderOptions{
		Progress: func(p chunker.Progress) { sent.Store(p.SentBytes) },
	})
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	uploaded := make(chan struct{})
	go func() {
		defer close(uploaded)
		if err := up.Upload(ctx); err != nil {
			cancel(err)
		}
	}()
	defer func() { cancel(nil); <-uploaded }()

	take := func() error {
		m, err := to.Receive(ctx)
		if err == nil {
			_, payload, perr := chunker.ParseUpload(m.Data)
			r.TakenBefore += int64(len(payload))
			err = perr
		}
		return err
	}
	begin := time.Now()
	for time.Since(begin) < slowFor {
		if float64(r.TakenBefore) > slowRate*time.Since(begin).Seconds() {
			time.Sleep(5 * time.Millisecond) // the receiver's pace is what is tested
			continue
		}
		if err := take(); err != nil {
			return r, err
		}
	}
	taken := r.TakenBefore
	time.Sleep(stopFor) // the pause is what is tested
	r.GrowthBytes = resident("VmHWM:") - before
	r.SentAtPause = sent.Load()

	resumed := time.Now()
	for r.TakenBefore <= r.SentAtPause {
		if err := take(); err != nil {
			return r, err
		}
	}
	r.BackSeconds = time.Since(resumed).Seconds()
	r.TakenBefore = taken
	return r, nil
}

// resident reads a line of proc_pid_status(5), in bytes.
func resident(line string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), line)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		panic(err)
	}
	return kib << 10
}
