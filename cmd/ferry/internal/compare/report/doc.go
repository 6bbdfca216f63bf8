// Package report shows a result.Report: as a page for people, as plots, and in
// the forms that other programs read. Each writer is one function of a report
// and an io.Writer in a file of its own, and takes nothing but what the report
// holds. The table for terminals is package table.
//
// # Plots
//
// They are drawn by gonum.org/v1/plot, which has axes, scales, text layout, SVG
// and PNG. What this package adds are its own bars and lines (plot.Plotter), as
// the library's know no marks of ceilings and baselines, and a legend that
// breaks its line, as the library's covers data on a narrow plot. Everything is
// drawn once, in light colours and 360 points wide, so that it can be read on a
// telephone; a style sheet turns each colour into its dark counterpart where the
// reader prefers that, in the page and in the SVG files alike.
package report
