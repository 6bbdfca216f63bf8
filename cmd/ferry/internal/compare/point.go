package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/carrier"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// point is a link with settings: what all rows of one table have in common.
type point struct {
	line    Line
	spec    link.Spec
	value   string  // of the sweep
	number  float64 // the same in the sweep's unit
	options carrier.Options
	runTime time.Duration // 0: until the file is complete
	trip    time.Duration // round trip of a real network, as measured
}

// points are the links, each with every value of the sweep.
func (c Config) points(base carrier.Options) ([]*point, error) {
	var all []*point
	for _, line := range c.Lines {
		values := []string{""}
		if c.Sweep != nil {
			values = c.Sweep.Values
		}
		for _, value := range values {
			p := &point{line: line, value: value, options: base}
			if err := p.apply(c.Sweep); err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// SweepKeys are the settings of the comparison itself that can be swept; all
// keys of package link can be, too.
func SweepKeys() []string { return []string{"chunk-size", "high-water", "streams"} }

// apply sets the point's value of the sweep and reads the description of its
// link.
func (p *point) apply(sweep *result.Sweep) (err error) {
	text := p.line.Text
	if sweep != nil && !slices.Contains(SweepKeys(), sweep.Key) {
		if !p.line.Emulated {
			return fmt.Errorf("%w: %s cannot be swept on %s: name a link with --link", ErrConfig, sweep.Key, p.line.Name)
		}
		text = replace(text, sweep.Key, p.value)
	}
	if p.line.Emulated {
		if p.spec, err = link.ParseSpec(text); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if sweep == nil {
		return nil
	}
	switch sweep.Key {
	case "chunk-size", "high-water":
		var n size.Bytes
		if err := n.Set(p.value); err != nil || n < 1 {
			return fmt.Errorf("%w: %s=%q is not a size above 0", ErrConfig, sweep.Key, p.value)
		}
		if sweep.Key == "chunk-size" {
			p.options.ChunkSize = int(n)
		} else {
			p.options.HighWater = int(n)
		}
		p.number, sweep.Unit = float64(n), "bytes"
	case "streams":
		n, err := strconv.Atoi(p.value)
		if err != nil || n < 1 || n > maxStreams {
			return fmt.Errorf("%w: streams=%q is not a number from 1 to %d", ErrConfig, p.value, maxStreams)
		}
		p.options.Streams, p.number = n, float64(n)
	default:
		p.number, sweep.Unit = measure(p.spec, sweep.Key)
	}
	return nil
}

// replace sets a key in the text of a link.
func replace(text, key, value string) string {
	items := slices.DeleteFunc(strings.Split(text, ","), func(item string) bool {
		k, _, assigned := strings.Cut(strings.TrimSpace(item), "=")
		return item == "" || assigned && strings.TrimSpace(k) == key
	})
	return strings.Join(append(items, key+"="+value), ",")
}

// measure is what a key of a link amounts to, of the way up.
func measure(s link.Spec, key string) (number float64, unit string) {
	switch key {
	case "rtt":
		return s.RTT().Seconds(), "seconds"
	case "delay":
		return s.Up.Delay.Seconds(), "seconds"
	case "jitter":
		return s.Up.Jitter.Seconds(), "seconds"
	case "rate":
		return float64(s.Up.Rate), "bits/s"
	case "queue":
		up, _ := s.QueueBytes()
		return float64(up), "bytes"
	case "mtu":
		return float64(s.MTU), "bytes"
	case "burst":
		if s.Up.Loss.BadToGood > 0 {
			return 1 / s.Up.Loss.BadToGood, ""
		}
		return 1, ""
	case "loss", "ge":
		return s.Up.Loss.Mean(), "share"
	case "reorder":
		return s.Up.Reorder, "share"
	case "duplicate":
		return s.Up.Duplicate, "share"
	case "corrupt":
		return s.Up.Corrupt, "share"
	}
	return 0, ""
}

// rtt is the round trip without queueing; 0 on loopback.
func (p *point) rtt() time.Duration {
	if p.line.Real != nil {
		return p.trip
	}
	return p.spec.RTT()
}

// direction is what the link does on the way of the payload.
func (p *point) direction(d result.Direction) link.Direction {
	if d == result.Down {
		return p.spec.Down
	}
	return p.spec.Up
}

// network is the link of one run.
type network struct {
	hosts carrier.Hosts
	stats func() (forward, back emulator.Stats)
	close func() error
}

// open builds the link. On loopback there are no statistics.
func (p *point) open(seed uint64, d result.Direction) (network, error) {
	if !p.line.Emulated {
		return network{hosts: carrier.Loopback(), close: func() error { return nil }}, nil
	}
	n, err := link.Open(p.spec, p.line.Kind, seed, &link.Options{CongestionControl: p.line.TCP})
	if err != nil {
		return network{}, err
	}
	stats := n.Stats
	if d == result.Down {
		stats = func() (forward, back emulator.Stats) {
			up, down := n.Stats()
			return down, up
		}
	}
	return network{carrier.Hosts{Client: n.Client(), Server: n.Server()}, stats, n.Close}, nil
}

// describe is the point's link for the report.
func (p *point) describe() result.Link {
	if p.line.Real != nil {
		return result.Link{Name: p.line.Name, Kind: "real", RTTSeconds: p.trip.Seconds(), About: fmt.Sprintf("a real network, round trip %v at best", p.trip.Round(10*time.Microsecond))}
	}
	if !p.line.Emulated {
		return result.Link{Name: p.line.Name, Kind: "loopback", About: "this machine, no link in between"}
	}
	spec, _ := link.ParseSpec(p.line.Text) // without the sweep's value; parsed before
	up, down := spec.QueueBytes()
	tcp := p.line.TCP
	if tcp == "" {
		tcp = p.line.Kind.CongestionControls()[0]
	}
	mtu := spec.MTU
	if mtu == 0 {
		mtu = emulator.DefaultMTU
	}
	return result.Link{
		Name: p.line.Name, Spec: spec.String(), Kind: p.line.Kind.String(), About: p.line.About,
		RTTSeconds: spec.RTT().Seconds(), MTU: mtu, TCP: tcp,
		Up:   result.LinkDirection{BitsPerS: spec.Up.Rate, QueueBytes: up, Loss: spec.Up.Loss.Mean()},
		Down: result.LinkDirection{BitsPerS: spec.Down.Rate, QueueBytes: down, Loss: spec.Down.Loss.Mean()},
	}
}
