package report

import (
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// Every plot is an SVG that is well-formed and a PNG of the width promised.
func TestWritePlots(t *testing.T) {
	want := map[string]int{"one": 1, "failures": 12, "standard": 12, "long": 12, "sweep": 2, "messages": 4, "open": 6, "empty": 0}
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			paths, err := WritePlots(dir, f.make())
			if err != nil {
				t.Fatal(err)
			}
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != 2*want[f.name] || len(paths) != len(files) {
				t.Errorf("%d files, %d paths, want two for each of %d plots", len(files), len(paths), want[f.name])
			}
			for _, path := range paths {
				checkPicture(t, path)
			}
		})
	}
}

func checkPicture(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if filepath.Ext(path) == ".png" {
		if header, err := png.DecodeConfig(file); err != nil || header.Width != 1080 || header.Height < 300 {
			t.Errorf("%s is %d x %d: %v", filepath.Base(path), header.Width, header.Height, err)
		}
		return
	}
	for d := xml.NewDecoder(file); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", filepath.Base(path), err)
		}
	}
}

func TestWritePlotsNowhere(t *testing.T) {
	if _, err := WritePlots(filepath.Join(t.TempDir(), "missing"), standard()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("plots into a folder that is not there: %v", err)
	}
}

// Plots whose names come out alike do not overwrite each other.
func TestPlotNamesDiffer(t *testing.T) {
	r := standard()
	for i, name := range []string{"a/b", "a:b", "a b"} {
		old := r.Links[i].Name
		r.Links[i].Name = name
		for k := range r.Results {
			if r.Results[k].Link == old {
				r.Results[k].Link = name
			}
		}
	}
	seen := map[string]bool{}
	for _, f := range figures(r) {
		if seen[f.name] || strings.ContainsAny(f.name, "/: ") {
			t.Errorf("the file name %q is bad or taken", f.name)
		}
		seen[f.name] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d plots, want 12", len(seen))
	}
}

// A report of hostile or degenerate figures is drawn all the same.
func TestDegenerate(t *testing.T) {
	changes := map[string]func(*result.Result){
		"no rates":  func(res *result.Result) { res.Rates, res.Runs = nil, nil },
		"zero":      func(res *result.Result) { res.MBPerS, res.Rates = 0, []float64{0, 0} },
		"tiny":      func(res *result.Result) { res.MBPerS, res.Rates = 1e-12, []float64{1e-12} },
		"huge":      func(res *result.Result) { res.MBPerS, res.Rates = 1e15, []float64{1e15, 2e15} },
		"no cdf":    func(res *result.Result) { res.Latency = &result.Latency{} },
		"zero time": func(res *result.Result) { res.Latency = &result.Latency{Points: []result.Point{{}, {Share: 1}}} },
		"bins": func(res *result.Result) {
			for i := range res.Runs {
				res.Runs[i].BinSeconds = 0
			}
		},
		"ceilings": func(res *result.Result) { res.Ceilings = []result.Ceiling{{Name: result.LimitLink}} },
	}
	for name, change := range changes {
		for _, f := range fixtures {
			t.Run(name+"/"+f.name, func(t *testing.T) {
				r := f.make()
				for i := range r.Results {
					change(&r.Results[i])
				}
				for _, format := range Formats() {
					if err := Write(io.Discard, Format(format), r); err != nil {
						t.Errorf("%s: %v", format, err)
					}
				}
				if c := Compare(r, f.make()); WriteChanges(io.Discard, HTML, c) != nil {
					t.Error("changes")
				}
			})
		}
	}
}
