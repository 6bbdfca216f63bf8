package compare

import (
	"fmt"
	"math"
	"strings"
)

// verdict says in a sentence or two which carrier was fastest and by how much.
// A lead within the spread of the two is called a tie.
func (r *Report) verdict() string {
	var failed []string
	for _, res := range r.Results {
		if !res.Verified {
			failed = append(failed, fmt.Sprintf("%s %s", res.Transport, res.Direction))
		}
	}
	var out []string
	switch ranking := r.ranking(); len(ranking) {
	case 0:
		if len(failed) == 0 {
			out = append(out, "No transport with a network was compared.")
		}
	case 1:
		out = append(out, fmt.Sprintf("Only %s carried the file both ways over a network, at %.0f MB/s: nothing to compare it with.", ranking[0].name, ranking[0].rate))
	default:
		out = append(out, lead(ranking))
	}
	if len(failed) > 0 {
		out = append(out, "Failed: "+strings.Join(failed, ", ")+".")
	}
	return strings.Join(out, " ")
}

func lead(ranking []combined) string {
	first, next, last := ranking[0], ranking[1], ranking[len(ranking)-1]
	ratio, noise := faster(first, next)
	var s string
	if ratio-1 <= noise {
		s = fmt.Sprintf("%s and %s tie as the fastest, up and down taken together: %.2f ± %.2f is within the noise.", first.name, next.name, ratio, noise)
	} else {
		s = fmt.Sprintf("%s is the fastest, up and down taken together: %.2f ± %.2f times %s", first.name, ratio, noise, next.name)
		if len(ranking) == 2 {
			return s + "."
		}
		ratio, noise = faster(first, last)
		return s + fmt.Sprintf(", and %.2f ± %.2f times %s, the slowest.", ratio, noise, last.name)
	}
	if len(ranking) > 2 {
		ratio, noise = faster(first, last)
		s += fmt.Sprintf(" %s is %.2f ± %.2f times as fast as %s, the slowest.", first.name, ratio, noise, last.name)
	}
	return s
}

// faster returns how many times as fast x was as y, with the uncertainty
// carried through from both spreads.
func faster(x, y combined) (ratio, noise float64) {
	ratio = x.rate / y.rate
	return ratio, ratio * math.Hypot(x.spread, y.spread)
}
