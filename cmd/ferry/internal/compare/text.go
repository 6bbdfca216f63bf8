package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report as a table for people, with the verdict as its
// last line.
func (r *Report) WriteText(w io.Writer) error {
	s := r.Settings
	fmt.Fprintf(w, "%s/%s  %s  %d CPUs  %s\n", r.Machine.OS, r.Machine.Arch, r.Machine.Go, r.Machine.CPUs, s.Link)
	fmt.Fprintf(w, "%s in %s chunks  %d runs after %d warm-up  content verified by BLAKE3 at the receiver\n\n",
		size.Bytes(s.Bytes), size.Bytes(s.ChunkSize), s.Runs, s.WarmUps)

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "transport\tdirection\tMB/s\t±\tvs memory\tCPU s/GB\tpeak memory\tverified\t\n")
	for _, res := range r.Results {
		if !res.Verified {
			fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\t%s\tno\t\n", res.Transport, res.Direction, size.Bytes(res.PeakRSSBytes))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.0f %%\t%s\t%.2f\t%s\tyes\t\n",
			res.Transport, res.Direction, res.MBPerS, 100*res.Spread, r.versusYardstick(res), res.CPUSecondsPerGB, size.Bytes(res.PeakRSSBytes))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, res := range r.Results {
		if res.Error != "" {
			fmt.Fprintf(w, "\n%s %s: %s\n", res.Transport, res.Direction, res.Error)
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Verdict)
	return err
}

func (r *Report) versusYardstick(res Result) string {
	for _, y := range r.Results {
		if y.Yardstick && y.Direction == res.Direction && y.MBPerS > 0 && !res.Yardstick {
			return fmt.Sprintf("%.0f %%", 100*res.MBPerS/y.MBPerS)
		}
	}
	return ""
}
