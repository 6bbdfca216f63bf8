package size

import "testing"

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Bytes
		text string
	}{
		{"0", 0, "0 B"},
		{"1023", 1023, "1023 B"},
		{"48KiB", 49152, "48 KiB"},
		{"48k", 49152, "48 KiB"},
		{"1kb", 1000, "1000 B"},
		{"1.5 GiB", 3 << 29, "1.5 GiB"},
		{"64 MiB", 64 << 20, "64 MiB"},
		{"1TB", 1e12, "931.3 GiB"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if err != nil || got != tt.want || got.String() != tt.text {
			t.Errorf("Parse(%q) = %d (%s), %v; want %d (%s)", tt.in, got, got, err, tt.want, tt.text)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1e300TB", "12 parsecs", "0x10", "NaN", "Inf", "1..2", "99999999TB"} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %d, want an error", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1.5GiB")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := Parse(s); err == nil && b < 0 {
			t.Errorf("Parse(%q) = %d", s, b)
		}
	})
}
