// Package result is the outcome of a comparison as data: what was measured, on
// which links, with which settings, and what was concluded. It is what ferry
// compare --format json writes and --save keeps.
//
// The engine (package compare) fills it, the writers (package report) show it;
// neither knows the other. Names of fields in JSON are stable, see [Schema].
//
// Units are in the names: seconds, bytes, mb_per_s (10^6 bytes a second),
// bits_per_s. What was not measured is left out, or 0 where the field says so.
package result
