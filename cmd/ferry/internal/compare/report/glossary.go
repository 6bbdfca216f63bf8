package report

import (
	"slices"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// explained says what the limits are, and the marks of rows, for who meets them
// first.
var explained = []term{
	{result.LimitLink, "The link carries as many bytes as it can. Only a faster link helps."},
	{result.LimitWindow, "A sender may have only so many bytes under way; when the round trip is long it waits for acknowledgements. Rate = window / round trip. A larger window or more streams help."},
	{result.LimitLoss, "The link loses packets, and congestion control slows down at each loss as if the link were full. More streams, or a congestion control that does not take loss for congestion, help."},
	{result.LimitCongestion, "Each sender guesses how much the link bears (congestion control). It guessed too much, so that the queue before the slowest part of the way overflowed, or too little, so that the link is not used."},
	{result.LimitPath, "The network between the two ends, of which nothing more is known from here."},
	{result.LimitCPU, "The processor is busy, not the link."},
	{result.LimitApplication, "The channel waited for the program: for the disk, the hash, or an answer."},
	{result.LimitSlowStart, "A connection begins slowly and speeds up; that took a large part of the run. A larger file shows the rate that lasts."},
	{result.LimitRoundTrips, "The time is that of the way there and back, repeated. Fewer round trips or a nearer server help."},
}

var explainedMarks = []term{
	{result.MarkOutage, "The link is interrupted now and then, and the runs were too short to meet that."},
	{result.MarkSpread, "The runs differ too much, also after more of them: trust the order of magnitude only."},
}

// terms explains the limits and marks that occur in r.
func terms(r *result.Report) []term {
	seen := map[string]bool{}
	for _, res := range r.Results {
		if res.Limit != nil && res.Role == result.Transport {
			seen[res.Limit.Name] = true
		}
		for _, m := range res.Marks {
			seen[m.Name] = true
		}
	}
	var out []term
	for _, t := range slices.Concat(explained, explainedMarks) {
		if seen[t.Name] {
			out = append(out, t)
		}
	}
	return out
}
