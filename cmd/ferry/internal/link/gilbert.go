package link

import (
	"strconv"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/link/emulator"
)

// gilbert is a loss in bursts, in the words of the keys loss and burst.
type gilbert struct{ loss, burst string }

// gilberts says both directions in the words of loss and burst, which are shorter
// than those of ge. ok is false where they cannot say exactly the same.
func (s Spec) gilberts() (up, down gilbert, ok bool) {
	up, first := gilbertOf(s.Up.Loss)
	down, second := gilbertOf(s.Down.Loss)
	if up.burst == "" { // no loss, which any burst leaves alone
		up.burst = down.burst
	}
	if down.burst == "" {
		down.burst = up.burst
	}
	return up, down, first && second && up.burst != ""
}

func gilbertOf(l emulator.Loss) (g gilbert, ok bool) {
	if l == (emulator.Loss{}) {
		return gilbert{loss: "0%"}, true
	}
	if l.Bad != 1 || l.Good != 0 || l.BadToGood == 0 {
		return g, false
	}
	length, found := shortest(1/l.BadToGood, func(x float64) bool { return 1/x == l.BadToGood })
	if !found {
		return g, false
	}
	share, found := shortest(l.Mean(), func(x float64) bool {
		var d Direction
		d.Loss.Good = x
		return parseBurst(&d, decimal(length, 0)) == nil && d.Loss == l
	})
	return gilbert{formatShare(share), decimal(length, 0)}, found
}

// shortest is the number near x with the fewest digits that does.
func shortest(x float64, does func(float64) bool) (float64, bool) {
	for digits := range 17 {
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits, 64), 64)
		if err == nil && does(rounded) {
			return rounded, true
		}
	}
	return 0, false
}
