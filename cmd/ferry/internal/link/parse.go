package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// ErrSpec is matched by every error of [ParseSpec].
var ErrSpec = errors.New("link: bad description of a link")

// SpecError says which part of a description is wrong and what to write
// instead. It matches [ErrSpec].
type SpecError struct {
	Spec    string
	Offset  int    // of Item in Spec, in bytes
	Item    string // as it stands in Spec
	Problem string // with the remedy
}

func (e *SpecError) Error() string {
	if e.Item == e.Spec {
		return fmt.Sprintf("link: %q: %s", e.Item, e.Problem)
	}
	return fmt.Sprintf("link: %q (at %d of %q): %s", e.Item, e.Offset, e.Spec, e.Problem)
}

func (e *SpecError) Unwrap() error { return ErrSpec }

// maxSpec bounds the length of a description, in bytes.
const maxSpec = 4096

// item is one key=value of a description.
type item struct {
	key, value string
	offset     int
	text       string
	inherited  bool // from a profile
}

// rivals are keys of which only one may stand in a description. A user's
// replaces a profile's.
var rivals = [][2]string{{"rtt", "delay"}, {"loss", "ge"}, {"burst", "ge"}}

// ParseSpec reads a link from text: settings key=value joined by commas, as
//
//	rtt=50ms,loss=1%,rate=100mbit,queue=1bdp,jitter=5ms
//
// with the keys of [Keys]. The first may be the name of a profile ([Profiles]),
// which the others change: "wifi,loss=2%". Two values as up/down make the
// directions differ: rate=20mbit/100mbit. Spaces around items do not matter.
// Errors are of type *[SpecError].
func ParseSpec(text string) (Spec, error) {
	if len(text) > maxSpec {
		return Spec{}, &SpecError{Spec: text[:20] + "...", Item: text[:20] + "...", Problem: "is too long: write at most 4096 bytes"}
	}
	items, err := split(text)
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	for _, k := range keys {
		for _, it := range items {
			if it.key != k.Name {
				continue
			}
			if err := k.apply(&s, it.value); err != nil {
				return Spec{}, fail(text, it, err.Error())
			}
		}
	}
	for _, it := range items {
		if problem := s.mismatch(it); problem != "" {
			return Spec{}, fail(text, it, problem)
		}
	}
	for _, d := range []*Direction{&s.Up, &s.Down} {
		if d.Rate == 0 {
			d.Queue = Queue{}
		}
	}
	if _, _, err := s.Configs(0); err != nil {
		return Spec{}, &SpecError{Spec: text, Item: text, Problem: err.Error()}
	}
	return s, nil
}

func fail(text string, it item, problem string) *SpecError {
	return &SpecError{Spec: text, Offset: it.offset, Item: it.text, Problem: problem}
}

// split cuts the text into items, those of a profile first.
func split(text string) ([]item, error) {
	var own, base []item
	offset := 0
	for i, raw := range strings.Split(text, ",") {
		it := item{text: strings.TrimSpace(raw)}
		it.offset = offset + strings.Index(raw, it.text)
		offset += len(raw) + 1
		name, value, assigned := strings.Cut(it.text, "=")
		it.key, it.value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case it.text == "" && text == "":
			return nil, fail(text, it, "is empty: write a profile ("+strings.Join(names(), ", ")+") or settings like rtt=50ms,loss=1%")
		case it.text == "":
			return nil, fail(text, it, "is empty: remove the comma")
		case !assigned && i == 0:
			p, ok := profile(it.text)
			if !ok {
				return nil, fail(text, it, "is no profile: write one of "+strings.Join(names(), ", ")+", or settings like rtt=50ms,loss=1%")
			}
			var err error
			if base, err = split(p.Spec); err != nil {
				return nil, err
			}
			for i := range base {
				base[i].text, base[i].offset, base[i].inherited = it.text, it.offset, true
			}
		case !assigned:
			return nil, fail(text, it, "has no value: write key=value (a profile comes first)")
		case !slices.ContainsFunc(keys, func(k Key) bool { return k.Name == it.key }):
			return nil, fail(text, it, "is no setting: the keys are "+strings.Join(keyNames(), ", "))
		case has(own, it.key):
			return nil, fail(text, it, "stands twice: write "+it.key+" once")
		default:
			for _, r := range rivals {
				if it.key == r[0] && has(own, r[1]) || it.key == r[1] && has(own, r[0]) {
					return nil, fail(text, it, "cannot go together: write either "+r[0]+" or "+r[1])
				}
			}
			own = append(own, it)
		}
	}
	base = slices.DeleteFunc(base, func(b item) bool {
		return has(own, b.key) || slices.ContainsFunc(rivals, func(r [2]string) bool {
			return b.key == r[0] && has(own, r[1]) || b.key == r[1] && has(own, r[0])
		})
	})
	return append(base, own...), nil
}

func has(items []item, key string) bool {
	return slices.ContainsFunc(items, func(it item) bool { return it.key == key })
}

func keyNames() []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Name)
	}
	return out
}

func (k *Key) apply(s *Spec, value string) error {
	up, down, two := strings.Cut(value, "/")
	if k.Whole {
		if two {
			return errors.New("is the same in both directions: write one value")
		}
		return k.whole(s, value)
	}
	if !two {
		down = up
	}
	if err := k.parse(&s.Up, up); err != nil {
		return err
	}
	return k.parse(&s.Down, down)
}

// mismatch tells what is wrong with a setting beside the others.
func (s Spec) mismatch(it item) string {
	switch it.key {
	case "jitter":
		if s.Up.Jitter > s.Up.Delay || s.Down.Jitter > s.Down.Delay {
			return fmt.Sprintf("is more than the delay of a direction: write at most %v, or a longer rtt", min(s.Up.Delay, s.Down.Delay))
		}
	case "burst":
		if s.Up.Loss == s.Down.Loss && s.Up.Loss.GoodToBad == 0 {
			return "needs a loss: write loss=1%,burst=4"
		}
	case "reorder":
		// The parser leaves nothing of reorder=jitter where there is no jitter.
		none := Direction{}
		if formatReorder(s.Up) == formatReorder(none) && formatReorder(s.Down) == formatReorder(none) {
			return "changes nothing: write a percentage above 0, or a jitter for reorder=jitter"
		}
	case "queue":
		mtu := s.MTU
		if mtu == 0 {
			mtu = emulator.DefaultMTU
		}
		for _, d := range []Direction{s.Up, s.Down} {
			if d.Rate > 0 && d.Queue.Bytes > 0 && d.Queue.Bytes < mtu {
				return fmt.Sprintf("holds no packet: write at least %dB", mtu)
			}
		}
		if s.Up.Rate == 0 && s.Down.Rate == 0 && !it.inherited {
			return "needs a rate: write rate=100mbit,queue=1bdp"
		}
	}
	return ""
}

// String writes the link in the form that [ParseSpec] reads, in full and
// without the name of a profile. A link that does nothing is "rtt=0s".
func (s Spec) String() string {
	var parts []string
	for _, k := range keys {
		if v := k.value(s); v != "" {
			parts = append(parts, k.Name+"="+v)
		}
	}
	if len(parts) == 0 {
		return "rtt=0s"
	}
	return strings.Join(parts, ",")
}

func (k *Key) value(s Spec) string {
	rtt := s.RTT()
	halved := rtt > 0 && s.Up.Delay == rtt/2
	switch k.Name {
	case "rtt":
		if halved {
			return formatTime(rtt)
		}
		return ""
	case "delay":
		if halved {
			return ""
		}
	case "loss", "burst", "ge":
		if s.Up.Loss.GoodToBad > 0 || s.Down.Loss.GoodToBad > 0 {
			return k.bursty(s)
		}
		if k.Name != "loss" {
			return ""
		}
	case "mtu":
		if s.MTU == 0 {
			return ""
		}
		return fmt.Sprint(s.MTU)
	}
	return k.pair(k.format(s.Up), k.format(s.Down))
}

// bursty is the value of loss, burst or ge, whichever say it shortest.
func (k *Key) bursty(s Spec) string {
	up, down, short := s.gilberts()
	switch {
	case k.Name == "ge" && !short:
		return k.pair(k.format(s.Up), k.format(s.Down))
	case k.Name == "loss" && short:
		return k.pair(up.loss, down.loss)
	case k.Name == "burst" && short:
		return k.pair(up.burst, down.burst)
	}
	return ""
}

// pair writes the values of both directions.
func (k *Key) pair(up, down string) string {
	if up == down {
		return up
	}
	return k.orDefault(up) + "/" + k.orDefault(down)
}

// orDefault writes the default of one direction beside the value of the other.
func (k *Key) orDefault(v string) string {
	if v != "" {
		return v
	}
	switch k.Name {
	case "delay", "jitter":
		return "0s"
	case "rate":
		return unlimited
	case "queue":
		return "1bdp"
	case "outage":
		return "none"
	}
	return "0%"
}
