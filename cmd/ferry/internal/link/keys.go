package link

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// Key is one setting of the text form of a [Spec].
type Key struct {
	Name    string
	Example string // a value
	Help    string // what it sets, in a few words
	// Whole: the key is about the link. The others take one value for both
	// directions, or two as up/down.
	Whole bool

	whole  func(*Spec, string) error
	parse  func(*Direction, string) error
	format func(Direction) string // "" for the default
}

// Keys returns the settings in the order in which String writes them.
func Keys() []Key { return append([]Key(nil), keys...) }

// defaultReorderBy is how long a reordered packet is held back where the
// spec does not say, which is 40 packets at 100 Mbit/s.
const defaultReorderBy = 5 * time.Millisecond

// keys are applied in this order: burst changes what loss has set.
var keys = []Key{
	{
		Name: "rtt", Example: "50ms", Help: "round trip, half of it in each direction", Whole: true,
		whole: func(s *Spec, v string) error {
			d, err := parseTime(v)
			s.Up.Delay, s.Down.Delay = d/2, d-d/2
			return err
		},
	},
	{
		Name: "delay", Example: "20ms/30ms", Help: "delay of a direction, instead of rtt",
		parse:  func(d *Direction, v string) (err error) { d.Delay, err = parseTime(v); return err },
		format: func(d Direction) string { return nonzero(d.Delay) },
	},
	{
		Name: "jitter", Example: "5ms", Help: "the delay wanders up and down by as much, in order",
		parse:  func(d *Direction, v string) (err error) { d.Jitter, err = parseTime(v); return err },
		format: func(d Direction) string { return nonzero(d.Jitter) },
	},
	{
		Name: "rate", Example: "20mbit/100mbit", Help: "bits per second of IP packets",
		parse: func(d *Direction, v string) (err error) { d.Rate, err = parseRate(v); return err },
		format: func(d Direction) string {
			if d.Rate == 0 {
				return ""
			}
			return formatRate(d.Rate)
		},
	},
	{
		Name: "queue", Example: "1bdp", Help: "drop-tail queue of the bottleneck: 1bdp, 100ms or 64KiB",
		parse: func(d *Direction, v string) (err error) { d.Queue, err = parseQueue(v); return err },
		format: func(d Direction) string {
			if d.Queue == (Queue{}) {
				return ""
			}
			return formatQueue(d.Queue)
		},
	},
	{
		Name: "loss", Example: "1%", Help: "packets lost, independently of each other",
		parse: func(d *Direction, v string) error {
			p, err := parseShare(v)
			d.Loss = emulator.Loss{Good: p}
			return err
		},
		format: func(d Direction) string { return share(d.Loss.Good) },
	},
	{
		Name: "burst", Example: "4", Help: "mean length of a burst of lost packets (Gilbert), with loss",
		parse: parseBurst,
	},
	{
		Name: "ge", Example: "0.5%:20%:80%:0%", Help: "Gilbert-Elliott loss: good to bad, bad to good, loss in bad, in good",
		parse: parseGE,
		format: func(d Direction) string {
			l := d.Loss
			return strings.Join([]string{
				formatShare(l.GoodToBad), formatShare(l.BadToGood), formatShare(l.Bad), formatShare(l.Good),
			}, ":")
		},
	},
	{
		Name: "reorder", Example: "1%:5ms", Help: "packets held back, and by how long; or jitter: it may reorder",
		parse: parseReorder, format: formatReorder,
	},
	{
		Name: "duplicate", Example: "0.1%", Help: "packets sent twice",
		parse:  func(d *Direction, v string) (err error) { d.Duplicate, err = parseShare(v); return err },
		format: func(d Direction) string { return share(d.Duplicate) },
	},
	{
		Name: "corrupt", Example: "0.1%", Help: "packets with one bit flipped",
		parse:  func(d *Direction, v string) (err error) { d.Corrupt, err = parseShare(v); return err },
		format: func(d Direction) string { return share(d.Corrupt) },
	},
	{
		Name: "outage", Example: "2s@10s", Help: "no packet passes: length@start, length:period, several joined by +",
		parse: parseOutages, format: formatOutages,
	},
	{
		Name: "mtu", Example: "1500", Help: "largest IP packet in bytes", Whole: true,
		whole: func(s *Spec, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < minMTU || n > emulator.MaxMTU {
				return errors.New("is no MTU: write bytes from " + strconv.Itoa(minMTU) + " to 65535")
			}
			s.MTU = n
			return nil
		},
	},
}

// minMTU is the least that QUIC works over (RFC 9000, 14), the most demanding
// of the carriers, with the headers of IPv4 and UDP.
const minMTU = 1228

func nonzero(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return formatTime(d)
}

func share(x float64) string {
	if x == 0 {
		return ""
	}
	return formatShare(x)
}

func parseBurst(d *Direction, v string) error {
	length, ok := number(v, 0)
	if !ok || length < 1 || length > 1e6 {
		return errors.New("is no mean length of a burst: write packets from 1, like 4 or 2.5")
	}
	if d.Loss.Good == 0 {
		return nil
	}
	loss := emulator.Loss{Bad: 1, BadToGood: 1 / length}
	loss.GoodToBad = loss.BadToGood * d.Loss.Good / (1 - d.Loss.Good)
	if !(loss.GoodToBad <= 1) {
		return errors.New("is too short for so much loss: write a longer burst")
	}
	d.Loss = loss
	return nil
}

func parseGE(d *Direction, v string) error {
	parts := strings.Split(v, ":")
	if len(parts) != 4 {
		return errors.New("has not four parts: write good-to-bad:bad-to-good:loss-in-bad:loss-in-good, like 0.5%:20%:80%:0%")
	}
	var l emulator.Loss
	for i, to := range []*float64{&l.GoodToBad, &l.BadToGood, &l.Bad, &l.Good} {
		p, err := parseShare(parts[i])
		if err != nil {
			return err
		}
		*to = p
	}
	if l.GoodToBad == 0 {
		l = emulator.Loss{Good: l.Good} // the bad state is never reached
	} else if l.BadToGood == 0 {
		return errors.New("never leaves the bad state: write a second part above 0%")
	}
	d.Loss = l
	return nil
}

func parseReorder(d *Direction, v string) error {
	d.Reorder, d.ReorderBy, d.JitterReorders = 0, 0, false
	for part := range strings.SplitSeq(v, "+") {
		if part == "jitter" {
			d.JitterReorders = d.Jitter > 0
			continue
		}
		amount, by, timed := strings.Cut(part, ":")
		p, err := parseShare(amount)
		if err != nil {
			return err
		}
		hold := defaultReorderBy
		if timed {
			if hold, err = parseTime(by); err != nil {
				return err
			}
			if hold == 0 {
				return errors.New("reorders nothing: write a time above 0, like 1%:5ms")
			}
		}
		if p > 0 {
			d.Reorder, d.ReorderBy = p, hold
		}
	}
	return nil
}

func formatReorder(d Direction) string {
	var parts []string
	if d.JitterReorders {
		parts = append(parts, "jitter")
	}
	if d.Reorder > 0 {
		parts = append(parts, formatShare(d.Reorder)+":"+formatTime(d.ReorderBy))
	}
	return strings.Join(parts, "+")
}

func parseOutages(d *Direction, v string) error {
	const most = 100
	d.Outages = nil
	if v == "none" {
		return nil
	}
	for part := range strings.SplitSeq(v, "+") {
		rest, period, periodic := strings.Cut(part, ":")
		length, start, started := strings.Cut(rest, "@")
		var o emulator.Outage
		var err error
		if o.Length, err = parseTime(length); err != nil {
			return err
		}
		if periodic {
			if o.Every, err = parseTime(period); err != nil {
				return err
			}
			o.Start = o.Every
		}
		if started {
			if o.Start, err = parseTime(start); err != nil {
				return err
			}
		}
		switch {
		case !started && !periodic:
			return errors.New("does not say when: write 2s@10s (once) or 2s:30s (every 30 s)")
		case o.Length == 0 || periodic && o.Every <= o.Length:
			return errors.New("is no outage: write a length above 0 and a period above the length")
		case len(d.Outages) == most:
			return errors.New("is too long: write at most 100 outages, or periodic ones")
		}
		d.Outages = append(d.Outages, o)
	}
	return nil
}

func formatOutages(d Direction) string {
	var parts []string
	for _, o := range d.Outages {
		s := formatTime(o.Length)
		if o.Every == 0 || o.Start != o.Every {
			s += "@" + formatTime(o.Start)
		}
		if o.Every > 0 {
			s += ":" + formatTime(o.Every)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "+")
}
