package stats

import (
	"math"
	"slices"
)

// mostExact is the size of both samples together up to which MannWhitney
// counts all C(20, 10) = 184,756 ways at most to divide them.
const mostExact = 20

// MannWhitney is the two-sided p-value of the Mann-Whitney U test: how likely
// the samples differ in rank at least as much as they do if both come from one
// distribution. It assumes nothing about that distribution. Up to 20 values
// together it is exact, ties included; beyond, it uses the normal approximation
// with the correction for ties and for continuity (Mann and Whitney 1947). An
// empty sample gives 1.
func MannWhitney(x, y []float64) float64 {
	if len(x) == 0 || len(y) == 0 {
		return 1
	}
	ranks, ties := ranksOf(append(slices.Clone(x), y...))
	n, m := float64(len(x)), float64(len(y))
	expected := n * (n + m + 1) / 2 // of the sum of x's ranks
	var sum float64
	for _, r := range ranks[:len(x)] {
		sum += r
	}
	distance := math.Abs(sum - expected)
	if len(ranks) <= mostExact {
		var extreme, all int
		subsets(ranks, len(x), 0, func(other float64) {
			all++
			if math.Abs(other-expected) >= distance-1e-9 {
				extreme++
			}
		})
		return float64(extreme) / float64(all)
	}
	total := n + m
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return 1
	}
	return min(1, math.Erfc(max(0, distance-0.5)/math.Sqrt(2*variance)))
}

// LeastP is the least p-value that samples of these sizes can have.
func LeastP(n, m int) float64 {
	ways := 1.0
	for i := range m {
		ways = ways * float64(n+i+1) / float64(i+1)
	}
	return min(1, 2/ways)
}

// ranksOf returns the rank of each value, equal values sharing the mean of
// theirs, and the sum of t^3-t over the groups of t equal values.
func ranksOf(values []float64) (ranks []float64, ties float64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	ranks = make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			ranks[k] = float64(i+j+1) / 2
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return ranks, ties
}

// subsets calls visit with the sum of every choice of n of the ranks.
func subsets(ranks []float64, n int, sum float64, visit func(float64)) {
	if n == 0 {
		visit(sum)
		return
	}
	for i := 0; i+n <= len(ranks); i++ {
		subsets(ranks[i+1:], n-1, sum+ranks[i], visit)
	}
}
