package link_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

func parse(t *testing.T, text string) link.Spec {
	t.Helper()
	s, err := link.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseSpec(t *testing.T) {
	const ms = time.Millisecond
	both := func(d link.Direction) link.Spec { return link.Spec{Up: d, Down: d} }
	for text, want := range map[string]link.Spec{
		"rtt=50ms,loss=1%,rate=100mbit,queue=1bdp,jitter=5ms": both(link.Direction{
			Delay: 25 * ms, Loss: emulator.Loss{Good: 0.01}, Rate: 100e6, Queue: link.Queue{BDP: 1}, Jitter: 5 * ms,
		}),
		" rate = 20mbit/1.5GBIT , delay=20ms/30ms": {
			Up:   link.Direction{Rate: 20e6, Delay: 20 * ms},
			Down: link.Direction{Rate: 1500e6, Delay: 30 * ms},
		},
		"rate=56kbit/unlimited,queue=64KiB": {
			Up: link.Direction{Rate: 56e3, Queue: link.Queue{Bytes: 65536}},
		},
		"rate=800bit,queue=200ms": both(link.Direction{Rate: 800, Queue: link.Queue{Time: 200 * ms}}),
		"loss=20%,burst=4":        both(link.Direction{Loss: emulator.Loss{Bad: 1, BadToGood: 0.25, GoodToBad: 0.0625}}),
		"ge=0.5%:20%:80%:0%": both(link.Direction{
			Loss: emulator.Loss{GoodToBad: 0.005, BadToGood: 0.2, Bad: 0.8},
		}),
		"reorder=1%":      both(link.Direction{Reorder: 0.01, ReorderBy: 5 * ms}),
		"reorder=1%:20ms": both(link.Direction{Reorder: 0.01, ReorderBy: 20 * ms}),
		"rtt=2ms,jitter=1ms/0s,reorder=jitter": {
			Up:   link.Direction{Delay: ms, Jitter: ms, JitterReorders: true},
			Down: link.Direction{Delay: ms},
		},
		"duplicate=0.1%,corrupt=0.0001%": both(link.Direction{Duplicate: 0.001, Corrupt: 0.000001}),
		"outage=2s@10s+50ms:15s+1s@0s:1m": both(link.Direction{Outages: []emulator.Outage{
			{Start: 10 * time.Second, Length: 2 * time.Second},
			{Start: 15 * time.Second, Length: 50 * ms, Every: 15 * time.Second},
			{Length: time.Second, Every: time.Minute},
		}}),
		"mtu=1280": {MTU: 1280},
		"rtt=0s":   {},
	} {
		t.Run(text, func(t *testing.T) {
			if got := parse(t, text); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestSpecErrors(t *testing.T) {
	for text, want := range map[string]struct {
		item string
		says string
	}{
		"":                               {"", "write a profile"},
		"lna":                            {"lna", "lan, wifi, dsl"},
		"rtt=50ms,":                      {"", "remove the comma"},
		"rtt=50ms,wifi":                  {"wifi", "a profile comes first"},
		"delai=3ms":                      {"delai=3ms", "rtt, delay, jitter"},
		"rtt=50":                         {"rtt=50", "50ms"},
		"rtt=-1ms":                       {"rtt=-1ms", "from 0s"},
		"rtt=2ms/3ms":                    {"rtt=2ms/3ms", "one value"},
		"rtt=2ms,delay=1ms":              {"delay=1ms", "either rtt or delay"},
		"loss=1%,ge=1%:1%:1%:1%":         {"ge=1%:1%:1%:1%", "either loss or ge"},
		"rate=20mb":                      {"rate=20mb", "100mbit"},
		"rate=1mbit/2mbit/3mbit":         {"rate=1mbit/2mbit/3mbit", "100mbit"},
		"rate=0mbit":                     {"rate=0mbit", "unlimited"},
		"rate=200gbit":                   {"rate=200gbit", "100gbit"},
		"rate=1mbit,queue=1499B":         {"queue=1499B", "1500B"},
		"queue=1bdp":                     {"queue=1bdp", "rate="},
		"rate=1mbit,queue=2":             {"queue=2", "64KiB"},
		"rate=1mbit, queue=0bdp":         {"queue=0bdp", "0.001bdp"},
		"loss=1":                         {"loss=1", "0.5%"},
		"loss=101%":                      {"loss=101%", "100%"},
		"loss=1e1%":                      {"loss=1e1%", "0.5%"},
		"loss=NaN%":                      {"loss=NaN%", "0.5%"},
		"loss=1%,loss=2%":                {"loss=2%", "once"},
		"burst=4":                        {"burst=4", "loss=1%"},
		"loss=90%,burst=2":               {"burst=2", "longer burst"},
		"loss=100%,burst=2":              {"burst=2", "longer burst"},
		"ge=1%:2%":                       {"ge=1%:2%", "0.5%:20%:80%:0%"},
		"ge=1%:0%:100%:0%":               {"ge=1%:0%:100%:0%", "above 0%"},
		"rtt=4ms,jitter=3ms":             {"jitter=3ms", "at most 2ms"},
		"wifi,rtt=800us":                 {"wifi", "at most 400µs"},
		"reorder=jitter":                 {"reorder=jitter", "or a jitter"},
		"reorder=1%:0s":                  {"reorder=1%:0s", "above 0"},
		"outage=1s":                      {"outage=1s", "2s@10s"},
		"outage=2s:1s":                   {"outage=2s:1s", "period above the length"},
		"mtu=1227":                       {"mtu=1227", "1228"},
		strings.Repeat("rtt=50ms,", 600): {"rtt=50ms,rtt=50ms,rt...", "4096"},
	} {
		t.Run(text[:min(len(text), 30)], func(t *testing.T) {
			_, err := link.ParseSpec(text)
			located, ok := errors.AsType[*link.SpecError](err)
			if !ok || !errors.Is(err, link.ErrSpec) {
				t.Fatalf("got %v", err)
			}
			if located.Item != want.item || !strings.Contains(err.Error(), want.says) {
				t.Errorf("%v\nlocates %q, want %q and %q", err, located.Item, want.item, want.says)
			}
			if len(text) < 100 && !strings.HasPrefix(text[located.Offset:], located.Item) {
				t.Errorf("offset %d is not where %q stands", located.Offset, located.Item)
			}
		})
	}
}

// TestProfiles: they parse, name sources for all they set, and can be changed.
func TestProfiles(t *testing.T) {
	wanted := []string{"lan", "wifi", "dsl", "lte", "starlink", "geo", "transatlantic", "lossy-wifi", "camera-uplink"}
	for i, p := range link.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			if p.Name != wanted[i] {
				t.Errorf("want %s", wanted[i])
			}
			s := parse(t, p.Name)
			if !reflect.DeepEqual(s, parse(t, p.Spec)) {
				t.Error("the name is not the spec")
			}
			sources := strings.Join(p.Sources, "\n")
			for setting := range strings.SplitSeq(p.Spec, ",") {
				key, _, _ := strings.Cut(setting, "=")
				if !strings.Contains(sources, strings.TrimSuffix(key, "s")) {
					t.Errorf("nothing said about %s", key)
				}
			}
			if changed := parse(t, p.Name+",loss=3%,delay=200ms/100ms,rate=unlimited"); changed.RTT() != 300*time.Millisecond ||
				changed.Up.Rate != 0 || math.Abs(changed.Down.Loss.Mean()-0.03) > 1e-9 {
				t.Errorf("changed: %v", changed)
			}
			if changed := parse(t, p.Name+",ge=1%:10%:100%:0%"); changed.Up.Loss.GoodToBad != 0.01 {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}

func TestQueueBytes(t *testing.T) {
	for text, want := range map[string][2]int{
		"rtt=50ms,rate=100mbit":                  {625_000, 625_000}, // 1 BDP by default
		"rtt=50ms,rate=100mbit,queue=0.5bdp":     {312_500, 312_500},
		"rtt=50ms,rate=8mbit/80mbit,queue=100ms": {100_000, 1_000_000},
		"rtt=50ms,rate=8mbit/unlimited":          {50_000, 0},
		"rate=100mbit":                           {15_000, 15_000}, // never below 10 packets
		"rate=100mbit,mtu=9000":                  {90_000, 90_000},
		"rtt=1h,rate=100gbit":                    {1 << 30, 1 << 30},
	} {
		if up, down := parse(t, text).QueueBytes(); up != want[0] || down != want[1] {
			t.Errorf("%s: %d and %d, want %v", text, up, down, want)
		}
	}
	if got := parse(t, "rtt=50ms,rate=8mbit/80mbit").BDP(); got != 500_000 {
		t.Errorf("BDP is %d", got)
	}
}

func TestDirectionsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(10) {
		up, down, err := parse(t, "loss=1%").Configs(seed)
		if err != nil {
			t.Fatal(err)
		}
		seen[up.Seed], seen[down.Seed] = true, true
	}
	if len(seen) != 20 {
		t.Errorf("%d different sequences, want 20", len(seen))
	}
}

func TestComplete(t *testing.T) {
	for beginning, want := range map[string]string{
		"l":              "lan lte lossy-wifi loss=",
		"wi":             "wifi",
		"wifi,lo":        "wifi,loss=",
		"wifi,loss=":     "wifi,loss=1%",
		"rtt=50ms,r":     "rtt=50ms,rate= rtt=50ms,reorder=",
		"rtt=50ms,wifi":  "",
		"nothing-at-all": "",
	} {
		var got []string
		for _, c := range link.Complete(beginning) {
			candidate, help, ok := strings.Cut(c, "\t")
			if !ok || help == "" {
				t.Errorf("%q has no help", c)
			}
			got = append(got, candidate)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", beginning, got, want)
		}
	}
	if n := len(link.Complete("")); n != len(link.Profiles())+len(link.Keys()) {
		t.Errorf("%d candidates for nothing", n)
	}
}

// FuzzParseSpec: whatever parses is a valid link, and its text is the same link.
// What somebody wrote is written again, and not what became of it inside.
func TestStringIsShort(t *testing.T) {
	for _, text := range []string{
		"rtt=50ms,rate=100mbit,loss=1%,burst=4",
		"loss=0.3%/2.5%,burst=2.5",
		"loss=0%/1%,burst=3",
		"loss=1%/2%,burst=4/7",
		"rate=9.3mbit,queue=300ms",
		"outage=1s@1m:1h",
	} {
		if got := parse(t, text).String(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, p := range link.Profiles() {
		spec := parse(t, p.Spec)
		if got := spec.String(); len(got) > len(p.Spec) || !reflect.DeepEqual(parse(t, got), spec) {
			t.Errorf("%s: %q became %q", p.Name, p.Spec, got)
		}
	}
}

// The written form is the same link again, for losses of all kinds.
func TestStringParsesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	percent := func() string {
		return strconv.FormatFloat(100*random.Float64(), 'f', random.IntN(16), 64) + "%"
	}
	for range 5000 {
		text := "loss=" + percent() + "/" + percent() + ",burst=" + strconv.FormatFloat(1+100*random.Float64(), 'f', random.IntN(16), 64)
		if random.IntN(2) == 0 {
			text = "ge=" + strings.Join([]string{percent(), percent(), percent(), percent()}, ":") + "/1%:2%:100%:0%"
		}
		spec, err := link.ParseSpec(text)
		if err != nil {
			continue // a burst too short for the loss
		}
		if again := parse(t, spec.String()); !reflect.DeepEqual(spec, again) {
			t.Fatalf("%q became %q", text, spec)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, p := range link.Profiles() {
		f.Add(p.Spec)
		f.Add(p.Name + ",loss=2%")
	}
	f.Add("delay=1ms/3ns,jitter=1ns/0s,rate=999999999bit/unlimited,queue=1.25bdp/1500B,reorder=jitter+0.3%/1%:1h,mtu=9000")
	f.Add("ge=0.1%:33.333%:100%:0.0001%/0%:0%:0%:5%,outage=2s@10s+50ms:15s/none,duplicate=0%/1%,corrupt=100%")
	f.Add("loss=12.3456789012345678%,burst=7.7/8")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := link.ParseSpec(text)
		if err != nil {
			if located, ok := errors.AsType[*link.SpecError](err); !ok || !errors.Is(err, link.ErrSpec) || located.Problem == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if _, _, err := s.Configs(1); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := link.ParseSpec(s.String())
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%q became %q: %v\n%+v\n%+v", text, s, err, s, again)
		}
	})
}

func ExampleParseSpec() {
	s, err := link.ParseSpec("dsl,loss=0.5%/0%")
	if err != nil {
		fmt.Println(err)
		return
	}
	up, down := s.QueueBytes()
	fmt.Println(s)
	fmt.Println(s.RTT(), up, down)
	// Output:
	// rtt=50ms,rate=3mbit/25mbit,queue=200ms,loss=0.5%/0%
	// 50ms 75000 625000
}
