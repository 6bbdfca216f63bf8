//go:build race

package wschan

const raceEnabled = true
