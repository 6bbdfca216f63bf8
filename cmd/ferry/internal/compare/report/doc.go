// Package report shows a result.Report: as a table for people, and in the forms
// that other programs read. Each writer is one function of a report and an
// io.Writer in a file of its own, and takes nothing but what the report holds.
package report
