package stats

import (
	"math"
	"slices"
)

// Median is the middle value, or the mean of the middle two; 0 of nothing.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	switch n := len(sorted); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	default:
		return sorted[n/2]
	}
}

// Spread is half the distance between the largest and the smallest value, as a
// part of the median; 0 if that is 0.
func Spread(values []float64) float64 {
	m := Median(values)
	if m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / 2 / m
}

// Quantile returns the smallest value that at least the share q of sorted does
// not exceed (the nearest rank). Sorted must not be empty.
func Quantile(sorted []float64, q float64) float64 {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Mean is the arithmetic mean; 0 of nothing.
func Mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// MedianInterval is the narrowest interval between two of the values, as far
// from the middle as each other in rank, that holds the true median with a
// confidence of at least 92 %, or all of them: a distribution-free interval
// by order statistics, of 94 % for five values. Values must not be empty.
func MedianInterval(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	// The median is below the k-th value with the probability that fewer than
	// k of n fair coins show heads.
	tail, term, k := 0.0, math.Pow(0.5, float64(n)), 0
	for i := 0; i < n/2; i++ {
		tail += term
		if 2*tail > 0.08 {
			break
		}
		k = i
		term *= float64(n-i) / float64(i+1)
	}
	return sorted[k], sorted[n-1-k]
}
