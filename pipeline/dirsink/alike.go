package dirsink

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/chunkferry/chunkferry/pipeline"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// foldKey returns what a component becomes on a system that ignores case and
// normalisation. Names with one key are one file on APFS, NTFS or exFAT.
func foldKey(part string) string {
	if isASCII(part) {
		return strings.ToLower(part)
	}
	s := norm.NFKC.String(stripIgnorable(part))
	return norm.NFKC.String(cases.Fold().String(s))
}

// lookKey returns what a component looks like: foldKey of it with the letters
// of other scripts replaced by the Latin letters whose shape they share.
func lookKey(part string) string {
	if isASCII(part) {
		return strings.ToLower(part)
	}
	return foldKey(strings.Map(func(r rune) rune {
		if latin, ok := shapes[r]; ok {
			return latin
		}
		return r
	}, norm.NFC.String(part)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// stripIgnorable removes what shows nothing and was allowed: joiners and
// variation selectors.
func stripIgnorable(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == zeroWidthJoiner || r == zeroWidthNonJoiner || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, s)
}

// shapes maps Greek, Cyrillic and Armenian letters to Latin ones of the same
// shape in ordinary fonts.
var shapes = pairs(
	"АВЕЅІЈКМНОРСТУХҮԌԚԜ", "ABESIJKMHOPCTYXYGQW",
	"аеѕіјорсхуһԁԛԝӏ", "aesijopcxyhdqwl",
	"ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX",
	"ονιρϲϳ", "ovipcj",
	"ՕՍոսօց", "OUnuog",
)

func pairs(from ...string) map[rune]rune {
	m := make(map[rune]rune)
	for i := 0; i+1 < len(from); i += 2 {
		to := []rune(from[i+1])
		n := 0
		for _, r := range from[i] {
			m[r] = to[n]
			n++
		}
	}
	return m
}

// child is a file or directory of a manifest in its parent directory.
type child struct {
	name string
	file bool
}

// tree holds the directories of a manifest: for each, "." for the top, its
// children by foldKey and lookKey.
type tree map[string]map[string]child

// newTree checks that no two paths of a manifest can meet on any system, and
// adds its errors to report.
func newTree(entries []pipeline.Entry, report func(p string, err error)) tree {
	t := make(tree)
	for _, e := range entries {
		t.add(e.Path, !e.Mode.IsDir(), e.Path, report)
	}
	return t
}

// add puts p, part of the path full, into its parent. It returns whether p was
// known or had no conflict.
func (t tree) add(p string, file bool, full string, report func(string, error)) bool {
	dir, name := path.Split(p)
	dir = path.Clean(dir)
	siblings, ok := t[dir]
	if !ok {
		if dir != "." && !t.add(dir, false, full, report) {
			return false
		}
		siblings = make(map[string]child)
		t[dir] = siblings
	}
	fold := foldKey(name)
	look := lookKey(name)
	for _, key := range []string{fold, look} {
		other, taken := siblings[key]
		if taken && (other.name != name || other.file || file) {
			report(full, &NameError{Rule: RuleCollision, Other: path.Join(dir, other.name)})
			return false
		}
	}
	c := child{name, file}
	siblings[fold] = c
	siblings[look] = c
	return true
}

// meets returns the child that an existing name would be taken for.
func meets(siblings map[string]child, name string) (child, bool) {
	if c, ok := siblings[foldKey(name)]; ok {
		return c, true
	}
	c, ok := siblings[lookKey(name)]
	return c, ok
}
