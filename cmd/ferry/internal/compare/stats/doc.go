// Package stats is the little statistics that a comparison needs.
package stats
