package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
)

type cell struct {
	Column, Text string
	Head         bool
	Swatch       template.CSS
}

// allFigures is the table of everything measured; columns that are empty in
// all rows are left out.
func allFigures(r *result.Report) (columns []string, rows [][]cell) {
	for _, res := range r.Results {
		row := figuresOf(r, res)
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	for i := len(rows[0]) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(rows, func(row []cell) bool { return row[i].Text != "" }) {
			for k := range rows {
				rows[k] = slices.Delete(rows[k], i, i+1)
			}
		}
	}
	for _, c := range rows[0] {
		columns = append(columns, c.Column)
	}
	return columns, rows
}

func figuresOf(r *result.Report, res result.Result) []cell {
	at := strings.TrimPrefix(where(r, "", res.SweepValue, res.State), ", ")
	if len(r.Links) > 1 {
		at = where(r, res.Link, res.SweepValue, res.State)
	}
	row := []cell{{Column: "Carrier", Text: carrierName(res), Head: true, Swatch: swatch(res)}, {Column: "On", Text: breakable(at)}, {Column: "Direction", Text: string(res.Direction)}}
	add := func(column string, known bool, text string) {
		if !known || !res.Verified {
			text = ""
		}
		row = append(row, cell{Column: column, Text: text})
	}
	add("Delivered", res.MBPerS > 0, rateText(res.MBPerS)+" "+spreadText(res.Spread))
	l := res.Latency
	if l == nil {
		l = &result.Latency{}
	}
	add("Median", l.Count > 0, duration(l.P50)+" "+spreadText(res.Spread))
	add("90 %", l.Count > 0, duration(l.P90))
	add("99 %", l.Count > 0, duration(l.P99))
	add("Longest", l.Count > 0, duration(l.Max))
	add("Times", l.Count > 0, fmt.Sprint(l.Count))
	add("Opening", res.OpenSeconds > 0, duration(res.OpenSeconds))
	add("First byte", res.FirstByteSeconds > 0, duration(res.FirstByteSeconds))
	add("Link use", res.LinkUse > 0, percent(res.LinkUse))
	add("Wire / payload", res.WireOverPayload > 0, fmt.Sprintf("%.3f", res.WireOverPayload))
	add("Back / payload", res.BackOverPayload > 0, fmt.Sprintf("%.3f", res.BackOverPayload))
	add("Loss seen", res.LossSeen > 0, percent(res.LossSeen))
	add("CPU s/GB", res.CPUSecondsPerGB > 0, digits(res.CPUSecondsPerGB))
	add("CPU cores", res.CPUCores > 0, digits(res.CPUCores))
	add("Memory", res.PeakRSSBytes > 0, size.Bytes(res.PeakRSSBytes).String())
	add("Congestion control", res.Congestion != "", res.Congestion)
	verified := "yes"
	switch {
	case !res.Verified:
		verified = "no"
	case !res.Complete && r.Settings.Mode == result.Bulk:
		verified = "yes, cut off"
	}
	return append(row, cell{Column: "Verified", Text: verified})
}
