package dirsink

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/chunkferry/chunkferry/pipeline"
)

// The longest names that every operating system keeps.
const (
	maxComponent = 255  // bytes of UTF-8: ext4, XFS, APFS; NTFS allows 255 UTF-16 units
	maxPath      = 1024 // bytes, below the sink's directory: PATH_MAX of macOS
	maxDepth     = 64   // components
)

// NameRules says which names a [Sink] takes. No rule ever changes a name: one
// that breaks a rule is refused, and nothing else of its transfer is taken.
type NameRules int

const (
	// PortableNames takes only names that mean the same file on every
	// operating system: none that Windows reserves, cuts or reads as a stream
	// or a drive.
	PortableNames NameRules = iota

	// LocalNames takes what this operating system takes, so that on Unix
	// "12:30.log", "what?" and "aux.c" pass. What could leave the directory,
	// hide or deceive is refused as well.
	LocalNames
)

// Rule says what is wrong with a name.
type Rule string

// The rules, in the order in which they are checked.
const (
	RuleEmpty      Rule = "it is empty"
	RuleEncoding   Rule = "it is not valid UTF-8"
	RulePathLength Rule = "the path is longer than 1024 bytes"
	RuleAbsolute   Rule = "it is absolute"
	RuleDrive      Rule = "it names a drive"
	RuleBackslash  Rule = "it contains a backslash"
	RuleDepth      Rule = "the path has more than 64 components"

	RuleEmptyPart Rule = "a component is empty"
	RuleDot       Rule = `a component is "."`
	RuleDotDot    Rule = `a component is ".."`
	RuleOnlyDots  Rule = "a component has only dots"
	RuleLength    Rule = "a component is longer than 255 bytes"
	RuleControl   Rule = "it contains a control character"
	RuleBidi      Rule = "it contains a character that changes the direction of text"
	RuleInvisible Rule = "it contains an invisible character"
	RuleImitation Rule = "a component imitates a name with a special meaning"
	RuleStateDir  Rule = "it is kept for unfinished transfers"

	RuleStream    Rule = "it contains a colon, which names a stream on Windows"
	RuleCharacter Rule = "it contains a character that Windows does not allow"
	RuleSeparator Rule = "it contains a character that looks like a separator"
	RuleLeading   Rule = "a component begins with a space"
	RuleTrailing  Rule = "a component ends with a space or a dot"
	RuleDevice    Rule = "a component is a reserved device name"

	RuleCollision Rule = "on some systems it is the same name as, or it looks like,"
	RuleSymlink   Rule = "it leads through a symbolic link"
	RuleSystem    Rule = "the operating system does not take it"
)

// NameError says why a name is refused. It matches [pipeline.ErrName] and is
// located by the [pipeline.EntryError] around it.
type NameError struct {
	Rule  Rule
	Other string // for RuleCollision and RuleSymlink: the other path
}

func (e *NameError) Error() string {
	if e.Other != "" {
		return fmt.Sprintf("pipeline: name not allowed: %s %q", e.Rule, e.Other)
	}
	return "pipeline: name not allowed: " + string(e.Rule)
}

// Unwrap makes errors.Is(err, pipeline.ErrName) true.
func (e *NameError) Unwrap() error { return pipeline.ErrName }

var (
	drive     = regexp.MustCompile(`^[A-Za-z]:`)
	shortName = regexp.MustCompile(`(?i)^\.?ferry~[0-9]+$`) // what Windows calls the state directory in eight characters
	device    = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])$`)
)

// check returns the first rule that p breaks.
func (rules NameRules) check(p string) (Rule, bool) {
	switch {
	case p == "":
		return RuleEmpty, false
	case !utf8.ValidString(p):
		return RuleEncoding, false
	case len(p) > maxPath:
		return RulePathLength, false
	case p[0] == '/', strings.HasPrefix(p, `\`):
		return RuleAbsolute, false
	case rules == PortableNames && drive.MatchString(p):
		return RuleDrive, false
	case strings.Contains(p, `\`):
		return RuleBackslash, false
	case strings.Count(p, "/") >= maxDepth:
		return RuleDepth, false
	}
	first := true
	for part := range strings.SplitSeq(p, "/") {
		if rule, ok := checkPart(part); !ok {
			return rule, false
		}
		if first && (foldKey(part) == StateDir || shortName.MatchString(part)) {
			return RuleStateDir, false
		}
		if rules == PortableNames {
			if rule, ok := checkPortable(part); !ok {
				return rule, false
			}
		}
		first = false
	}
	if !filepath.IsLocal(filepath.FromSlash(p)) {
		return RuleSystem, false
	}
	return "", true
}

// checkPart holds for every system.
func checkPart(part string) (Rule, bool) {
	switch {
	case part == "":
		return RuleEmptyPart, false
	case part == ".":
		return RuleDot, false
	case part == "..":
		return RuleDotDot, false
	case strings.Trim(part, ".") == "":
		return RuleOnlyDots, false
	case len(part) > maxComponent:
		return RuleLength, false
	}
	flag := false // in the tag sequence of a flag emoji
	for _, r := range part {
		if r < utf8.RuneSelf && r >= ' ' && r != 0x7f {
			flag = false
			continue
		}
		if r == '\U0001F3F4' || flag && unicode.Is(tags, r) {
			flag = true
			continue
		}
		flag = false
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp), unicode.Is(unicode.Noncharacter_Code_Point, r):
			return RuleControl, false
		case unicode.Is(unicode.Bidi_Control, r):
			return RuleBidi, false
		case isInvisible(r):
			return RuleInvisible, false
		}
	}
	if c := norm.NFKC.String(stripIgnorable(part)); c != part && strings.Trim(c, ". ") == "" {
		return RuleImitation, false
	}
	return "", true
}

// checkPortable holds where a name must survive Windows and macOS.
func checkPortable(part string) (Rule, bool) {
	head, _ := utf8.DecodeRuneInString(part)
	tail, _ := utf8.DecodeLastRuneInString(part)
	stem, _, _ := strings.Cut(part, ".")
	switch {
	case strings.Contains(part, ":"):
		return RuleStream, false
	case strings.ContainsAny(part, `<>"|?*`):
		return RuleCharacter, false
	case strings.ContainsAny(part, "\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c"):
		return RuleSeparator, false
	case unicode.IsSpace(head):
		return RuleLeading, false
	case unicode.IsSpace(tail), tail == '.':
		return RuleTrailing, false
	case device.MatchString(strings.TrimRight(stem, " ")), part == "..namedfork":
		return RuleDevice, false
	}
	return "", true
}

var tags = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0xE0020, Hi: 0xE007F, Stride: 1}}}

// isInvisible reports whether r shows nothing and has no place in a name. The
// joiners of emoji and of Persian and Indic words have.
func isInvisible(r rune) bool {
	switch {
	case r == zeroWidthJoiner, r == zeroWidthNonJoiner, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case r == '\u2800': // a braille pattern without dots
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}

// locate adds the path to an error about an entry, unless it has one.
func locate(p string, err error) error {
	return &pipeline.EntryError{Path: p, Err: err}
}

// numbered returns name as the n-th copy: "a.txt" becomes "a (2).txt", cut so
// that it stays within the length of a component.
func numbered(name string, n int) string {
	ext := path.Ext(name)
	if len(ext) == len(name) || len(ext) > 32 {
		ext = ""
	}
	stem, suffix := strings.TrimSuffix(name, ext), fmt.Sprintf(" (%d)%s", n, ext)
	for len(stem)+len(suffix) > maxComponent {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	return stem + suffix
}
