package report

import (
	"bytes"
	"encoding/csv"
	"testing"

	"golang.org/x/perf/benchfmt"
)

func TestGolden(t *testing.T) {
	for _, f := range []string{"one", "failures", "sweep", "messages", "open"} {
		for _, format := range []Format{CSV, Bench} {
			t.Run(f+"."+string(format), func(t *testing.T) {
				golden(t, f+"."+string(format), written(t, f, format))
			})
		}
	}
}

func written(t *testing.T, fixture string, format Format) []byte {
	t.Helper()
	for _, f := range fixtures {
		if f.name == fixture {
			var b bytes.Buffer
			if err := Write(&b, format, f.make()); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	t.Fatalf("no fixture %s", fixture)
	return nil
}

// Every run of every fixture is a row, and a result without runs is one too.
func TestCSVRows(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			rows, err := csv.NewReader(bytes.NewReader(written(t, f.name, CSV))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			for _, res := range f.make().Results {
				want += max(1, len(res.Runs))
			}
			if len(rows) != want {
				t.Errorf("%d rows, want %d", len(rows), want)
			}
		})
	}
}

// benchstat's own reader understands every line and finds the keys.
func TestBenchIsRead(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			want := 0
			for _, res := range f.make().Results {
				if res.Verified {
					want += len(res.Runs)
				}
			}
			in := benchfmt.NewReader(bytes.NewReader(written(t, f.name, Bench)), f.name)
			for in.Scan() {
				switch rec := in.Result().(type) {
				case *benchfmt.SyntaxError:
					t.Error(rec)
				case *benchfmt.Result:
					want--
					base, parts := rec.Name.Parts()
					if string(base) != "Compare" || len(parts) < 7 {
						t.Errorf("%s has base %s and %d parts", rec.Name, base, len(parts))
					}
					if len(rec.Values) == 0 {
						t.Errorf("%s has no value", rec.Name)
					}
				}
			}
			if err := in.Err(); err != nil {
				t.Fatal(err)
			}
			if want != 0 {
				t.Errorf("%d runs of trusted results are missing", want)
			}
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "yaml", oneResult()); err == nil {
		t.Error("no error for a format that is not there")
	}
}
