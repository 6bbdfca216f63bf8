package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}}
	for _, tt := range tests {
		if got := Median(tt.in); got != tt.want {
			t.Errorf("Median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestSpread(t *testing.T) {
	if got := Spread([]float64{90, 100, 120}); math.Abs(got-0.15) > 1e-12 {
		t.Errorf("spread %v, want 0.15", got)
	}
	if got := Spread([]float64{0, 0}); got != 0 {
		t.Errorf("spread %v, want 0", got)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]float64{0: 1, 0.5: 5, 0.9: 9, 0.91: 10, 0.99: 10, 1: 10} {
		if got := Quantile(sorted, q); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
}

// The p-values are those of R: wilcox.test(x, y), exact where there are no
// ties; with ties counted by hand over all divisions.
func TestMannWhitney(t *testing.T) {
	tests := []struct {
		name string
		x, y []float64
		want float64
	}{
		{"apart, 5 and 5", []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2.0 / 252},
		{"apart, 4 and 4", []float64{5, 6, 7, 8}, []float64{1, 2, 3, 4}, 2.0 / 70},
		{"apart, 3 and 3", []float64{1, 2, 3}, []float64{4, 5, 6}, 0.1},
		{"interleaved", []float64{1, 3, 5, 7}, []float64{2, 4, 6, 8}, 48.0 / 70},
		{"one crosses", []float64{1, 2, 3, 4, 6}, []float64{5, 7, 8, 9, 10}, 4.0 / 252},
		{"all equal", []float64{1, 1, 1}, []float64{1, 1, 1}, 1},
		// 1 1 2 | 2 3 3: the ranks are 1.5 1.5 3.5 3.5 5.5 5.5, and 2 of the
		// 20 divisions give the sum 6.5 and 2 more its mirror image 14.5.
		{"ties", []float64{1, 1, 2}, []float64{2, 3, 3}, 4.0 / 20},
		{"nothing", nil, []float64{1}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, got := range []float64{MannWhitney(tt.x, tt.y), MannWhitney(tt.y, tt.x)} {
				if math.Abs(got-tt.want) > 1e-12 {
					t.Errorf("p = %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// Just above the limit the approximation must continue what is exact below it,
// and under one distribution a p below 0.05 must come about once in twenty.
func TestMannWhitneyNormal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, shift float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = r.NormFloat64() + shift
		}
		return out
	}
	const trials = 2000
	low := 0
	for range trials {
		if MannWhitney(draw(15, 0), draw(15, 0)) < 0.05 {
			low++
		}
	}
	if share := float64(low) / trials; share < 0.03 || share > 0.065 {
		t.Errorf("p < 0.05 in %.3f of trials without a difference", share)
	}
	if p := MannWhitney(draw(15, 0), draw(15, 3)); p > 1e-4 {
		t.Errorf("p = %v for samples three deviations apart", p)
	}
}

func TestLeastP(t *testing.T) {
	for _, tt := range []struct {
		n, m int
		want float64
	}{{5, 5, 2.0 / 252}, {4, 4, 2.0 / 70}, {3, 3, 0.1}, {1, 1, 1}} {
		if got := LeastP(tt.n, tt.m); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("LeastP(%d, %d) = %v, want %v", tt.n, tt.m, got, tt.want)
		}
	}
}

func TestMedianInterval(t *testing.T) {
	values := func(n int) (out []float64) {
		for i := range n {
			out = append(out, float64(n-i))
		}
		return out
	}
	// The ranks of the binomial distribution: of 8 coins one or fewer show
	// heads with 3.5 %, of 15 three or fewer with 1.8 %.
	for n, want := range map[int][2]float64{1: {1, 1}, 5: {1, 5}, 7: {1, 7}, 8: {2, 7}, 10: {2, 9}, 15: {4, 12}} {
		if low, high := MedianInterval(values(n)); low != want[0] || high != want[1] {
			t.Errorf("of %d values: from %v to %v, want %v", n, low, high, want)
		}
	}
}
