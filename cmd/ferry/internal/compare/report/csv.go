package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// csvColumns are the columns of writeCSV. Their names do not change; new ones
// are added on the right.
var csvColumns = []string{
	"time", "mode", "link", "link_kind", "sweep_key", "sweep_value", "sweep_number",
	"transport", "role", "of", "direction", "state", "congestion_control",
	"bytes", "chunk_size", "streams", "run", "seed", "verified", "complete", "error",
	"mb_per_s", "seconds", "delivered_bytes", "open_seconds", "first_byte_seconds", "median_seconds",
	"cpu_seconds", "emulator_seconds", "peak_rss_bytes",
	"wire_bytes", "wire_packets", "back_bytes", "back_packets", "dropped_loss", "dropped_queue", "queue_high_bytes", "late_packets",
	"median_mb_per_s", "spread", "ceiling", "ceiling_mb_per_s", "limit", "setting", "marks",
	"uncertainty", "arrived_bytes",
}

// writeCSV writes one row for each result and run, in the order of the report
// (RFC 4180 with line feeds). What belongs to the result is repeated in each of
// its runs, so that a row can be used alone. A result without runs has one row
// in which run is empty. What was not measured is empty, not 0.
func writeCSV(w io.Writer, r *result.Report) error {
	c := csv.NewWriter(w)
	if err := c.Write(csvColumns); err != nil {
		return err
	}
	for _, res := range r.Results {
		shared := csvResult(r, res)
		for i, run := range res.Runs {
			if err := c.Write(csvRow(shared, csvRun(i+1, run))); err != nil {
				return err
			}
		}
		if len(res.Runs) == 0 {
			if err := c.Write(csvRow(shared)); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

func csvRow(cells ...map[string]string) []string {
	row := make([]string, len(csvColumns))
	for i, name := range csvColumns {
		for _, m := range cells {
			if v, ok := m[name]; ok {
				row[i] = v
			}
		}
	}
	return row
}

func csvResult(r *result.Report, res result.Result) map[string]string {
	link, _ := r.FindLink(res.Link)
	m := map[string]string{
		"time":               r.Time.UTC().Format(time.RFC3339),
		"mode":               string(r.Settings.Mode),
		"link":               res.Link,
		"link_kind":          link.Kind,
		"sweep_value":        res.SweepValue,
		"transport":          res.Transport,
		"role":               string(res.Role),
		"of":                 res.Of,
		"direction":          string(res.Direction),
		"state":              string(res.State),
		"congestion_control": res.Congestion,
		"bytes":              count(r.Settings.Bytes),
		"chunk_size":         count(int64(res.ChunkSize)),
		"streams":            count(int64(res.Streams)),
		"verified":           strconv.FormatBool(res.Verified),
		"complete":           strconv.FormatBool(res.Complete),
		"error":              res.Error,
		"median_mb_per_s":    measured(res.MBPerS),
	}
	if r.Settings.Sweep != nil && res.SweepValue != "" {
		m["sweep_key"] = r.Settings.Sweep.Key
		m["sweep_number"] = number(res.SweepNumber)
	}
	if res.Verified {
		m["spread"], m["uncertainty"] = number(res.Spread), number(res.Uncertainty)
	}
	if len(res.Ceilings) > 0 {
		m["ceiling"], m["ceiling_mb_per_s"] = res.Ceilings[0].Name, measured(res.Ceilings[0].MBPerS)
	}
	if res.Limit != nil {
		m["limit"], m["setting"] = res.Limit.Name, res.Limit.Setting
	}
	var marks []string
	for _, mark := range res.Marks {
		marks = append(marks, mark.Name)
	}
	m["marks"] = strings.Join(marks, ";")
	return m
}

func csvRun(n int, run result.Run) map[string]string {
	m := map[string]string{
		"run":                count(int64(n)),
		"seed":               strconv.FormatUint(run.Seed, 10),
		"complete":           strconv.FormatBool(run.Complete),
		"mb_per_s":           measured(run.MBPerS),
		"seconds":            measured(run.Seconds),
		"delivered_bytes":    count(run.DeliveredBytes),
		"open_seconds":       measured(run.OpenSeconds),
		"first_byte_seconds": measured(run.FirstByteSeconds),
		"median_seconds":     measured(run.MedianSeconds),
		"cpu_seconds":        measured(run.CPUSeconds),
		"emulator_seconds":   measured(run.EmulatorSeconds),
	}
	if run.PeakRSSBytes > 0 {
		m["peak_rss_bytes"] = count(run.PeakRSSBytes)
	}
	if wire := run.Wire; wire != nil {
		m["wire_bytes"] = count(wire.Bytes)
		m["wire_packets"] = count(wire.Packets)
		m["back_bytes"] = count(wire.BackBytes)
		m["back_packets"] = count(wire.BackPackets)
		m["arrived_bytes"] = count(wire.ArrivedBytes)
		m["dropped_loss"] = count(wire.DroppedLoss)
		m["dropped_queue"] = count(wire.DroppedQueue)
		m["queue_high_bytes"] = count(int64(wire.QueueHigh))
		m["late_packets"] = count(wire.Late)
	}
	return m
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// number writes x in full, measured the same with nothing for 0.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 9, 64) }

func measured(x float64) string {
	if x == 0 {
		return ""
	}
	return number(x)
}
