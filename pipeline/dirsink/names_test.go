package dirsink_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
)

const taken = dirsink.Rule("taken") // stands for no rule: the name is allowed

type hostileName struct {
	title, path string
	rule        dirsink.Rule
}

// hostile lists names and the rule that each breaks under PortableNames: first
// those that are refused, then those that only look as if.
var hostile = []hostileName{
	{"nothing", "", dirsink.RuleEmpty},
	{"dot", ".", dirsink.RuleDot},
	{"parent", "..", dirsink.RuleDotDot},
	{"parent first", "../x", dirsink.RuleDotDot},
	{"parent inside", "a/../../x", dirsink.RuleDotDot},
	{"parent last", "a/..", dirsink.RuleDotDot},
	{"dot inside", "a/./b", dirsink.RuleDot},
	{"three dots", "...", dirsink.RuleOnlyDots},
	{"four dots inside", "a/..../b", dirsink.RuleOnlyDots},
	{"root", "/", dirsink.RuleAbsolute},
	{"absolute", "/etc/passwd", dirsink.RuleAbsolute},
	{"two slashes", "//server/share", dirsink.RuleAbsolute},
	{"empty component", "a//b", dirsink.RuleEmptyPart},
	{"slash at the end", "a/", dirsink.RuleEmptyPart},
	{"UNC", `\\server\share\x`, dirsink.RuleAbsolute},
	{"device namespace", `\\?\C:\x`, dirsink.RuleAbsolute},
	{"device dot namespace", `\\.\PhysicalDrive0`, dirsink.RuleAbsolute},
	{"rooted backslash", `\Windows\x`, dirsink.RuleAbsolute},
	{"drive", `C:\Windows\x`, dirsink.RuleDrive},
	{"drive with slash", "C:/Windows/x", dirsink.RuleDrive},
	{"drive relative", "c:x", dirsink.RuleDrive},
	{"parent with backslash", `..\x`, dirsink.RuleBackslash},
	{"parent inside with backslash", `a\..\..\x`, dirsink.RuleBackslash},
	{"backslash", `a\b`, dirsink.RuleBackslash},
	{"mixed separators", `a/..\..\x`, dirsink.RuleBackslash},
	{"stream", "ab:c", dirsink.RuleStream},
	{"stream or drive", "a:b", dirsink.RuleDrive},
	{"data stream", "file.txt::$DATA", dirsink.RuleStream},
	{"stream of a directory", "dir:$I30:$INDEX_ALLOCATION/x", dirsink.RuleStream},
	{"resource fork", "file/..namedfork/rsrc", dirsink.RuleDevice},
	{"CON", "CON", dirsink.RuleDevice},
	{"con in a directory", "a/con", dirsink.RuleDevice},
	{"device as a directory", "aux/x", dirsink.RuleDevice},
	{"NUL with extension", "NUL.txt", dirsink.RuleDevice},
	{"device with extensions", "nul.tar.gz", dirsink.RuleDevice},
	{"PRN mixed case", "pRn", dirsink.RuleDevice},
	{"COM1", "COM1", dirsink.RuleDevice},
	{"COM0", "com0.log", dirsink.RuleDevice},
	{"LPT9", "lpt9.doc", dirsink.RuleDevice},
	{"COM superscript", "COM¹", dirsink.RuleDevice},
	{"LPT superscript", "lpt³.txt", dirsink.RuleDevice},
	{"CONIN$", "CONIN$", dirsink.RuleDevice},
	{"CLOCK$", "clock$", dirsink.RuleDevice},
	{"device with space before extension", "CON .txt", dirsink.RuleDevice},
	{"trailing dot", "name.", dirsink.RuleTrailing},
	{"trailing space", "name ", dirsink.RuleTrailing},
	{"trailing dots in a directory", "dir../x", dirsink.RuleTrailing},
	{"trailing no-break space", "name\u00a0", dirsink.RuleTrailing},
	{"leading space", " name", dirsink.RuleLeading},
	{"only a space", " ", dirsink.RuleLeading},
	{"leading ideographic space", "\u3000name", dirsink.RuleLeading},
	{"parent and space", ".. /x", dirsink.RuleTrailing},
	{"NUL byte", "a\x00b", dirsink.RuleControl},
	{"NUL before extension", "shell.php\x00.jpg", dirsink.RuleControl},
	{"line feed", "a\nb", dirsink.RuleControl},
	{"carriage return", "a\rb", dirsink.RuleControl},
	{"tab", "a\tb", dirsink.RuleControl},
	{"terminal escape", "\x1b[2Jx", dirsink.RuleControl},
	{"DEL", "a\x7f", dirsink.RuleControl},
	{"C1 control", "a\u009bx", dirsink.RuleControl},
	{"line separator", "a\u2028b", dirsink.RuleControl},
	{"noncharacter", "a\ufffeb", dirsink.RuleControl},
	{"right-to-left override", "photo\u202egpj.exe", dirsink.RuleBidi},
	{"right-to-left mark", "a\u200fb", dirsink.RuleBidi},
	{"isolate", "a\u2066b\u2069", dirsink.RuleBidi},
	{"Arabic letter mark", "a\u061cb", dirsink.RuleBidi},
	{"zero width space", "pass\u200bwd", dirsink.RuleInvisible},
	{"byte order mark", "\ufeffname", dirsink.RuleInvisible},
	{"word joiner", "a\u2060b", dirsink.RuleInvisible},
	{"soft hyphen", "a\u00adb", dirsink.RuleInvisible},
	{"Hangul filler", "\u3164", dirsink.RuleInvisible},
	{"blank braille", "\u2800", dirsink.RuleInvisible},
	{"tags without a flag", "a\U000E0041\U000E007F", dirsink.RuleInvisible},
	{"not UTF-8", "a\xff", dirsink.RuleEncoding},
	{"overlong slash", "..\xc0\xafetc", dirsink.RuleEncoding},
	{"surrogate", "a\xed\xa0\x80", dirsink.RuleEncoding},
	{"truncated UTF-8", "caf\xc3", dirsink.RuleEncoding},
	{"two dot leader", "\u2025/x", dirsink.RuleImitation},
	{"one dot leaders", "\u2024\u2024/x", dirsink.RuleImitation},
	{"full-width dots", "\uff0e\uff0e", dirsink.RuleImitation},
	{"dots with a joiner", ".\u200d.", dirsink.RuleImitation},
	{"only joiners", "\u200d", dirsink.RuleImitation},
	{"full-width slash", "..\uff0fx", dirsink.RuleSeparator},
	{"division slash", "a\u2215b", dirsink.RuleSeparator},
	{"fraction slash", "a\u2044b", dirsink.RuleSeparator},
	{"full-width backslash", "a\uff3cb", dirsink.RuleSeparator},
	{"state directory", ".ferry", dirsink.RuleStateDir},
	{"in the state directory", ".ferry/0123/journal", dirsink.RuleStateDir},
	{"state directory, case", ".FeRRy/x", dirsink.RuleStateDir},
	{"state directory, full-width", ".ｆｅｒｒｙ/x", dirsink.RuleStateDir},
	{"state directory with a joiner", ".fer\u200dry/x", dirsink.RuleStateDir},
	{"state directory, short name", "FERRY~1/x", dirsink.RuleStateDir},
	{"question mark", "what?", dirsink.RuleCharacter},
	{"star", "*.txt", dirsink.RuleCharacter},
	{"pipe", "a|b", dirsink.RuleCharacter},
	{"angle brackets", "<a>", dirsink.RuleCharacter},
	{"quote", `a"b`, dirsink.RuleCharacter},
	{"256 bytes", strings.Repeat("x", 256), dirsink.RuleLength},
	{"256 bytes of UTF-8", strings.Repeat("é", 128), dirsink.RuleLength},
	{"long path", strings.Repeat("abcdefgh/", 114), dirsink.RulePathLength},
	{"deep path", strings.Repeat("a/", 64) + "a", dirsink.RuleDepth},

	{"plain", "file.txt", taken},
	{"nested", "a/b/c.tar.gz", taken},
	{"255 bytes", strings.Repeat("x", 255), taken},
	{"64 components", strings.Repeat("a/", 63) + "a", taken},
	{"hidden", ".gitignore", taken},
	{"two dots first", "..x", taken},
	{"space inside", "a b.txt", taken},
	{"not a device", "console.log", taken},
	{"not a device, number", "com10", taken},
	{"state directory below", "a/.ferry", taken},
	{"Latin", "Ünïcödé.txt", taken},
	{"decomposed", "u\u0308.txt", taken},
	{"Cyrillic", "Отчёт.docx", taken},
	{"Japanese", "写真/日本語.jpg", taken},
	{"Arabic", "ملف.txt", taken},
	{"Persian joiner", "می\u200cخواهم", taken},
	{"emoji", "📷.jpg", taken},
	{"emoji of a family", "👨\u200d👩\u200d👧.png", taken},
	{"emoji of a flag", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F.svg", taken},
	{"emoji style", "❤\ufe0f", taken},
}

func one(path string) *pipeline.Manifest { return newSource(9, file{"x", 1}).named(path) }

func (s *source) named(path string) *pipeline.Manifest {
	s.m.Entries[0].Path = path
	return s.m
}

func TestNames(t *testing.T) {
	if refused := slices.IndexFunc(hostile, func(c hostileName) bool { return c.rule == taken }); refused < 60 {
		t.Fatalf("%d names are refused, too few", refused)
	}
	dir := t.TempDir()
	sink := newSink(t, dir, nil)
	for _, c := range hostile {
		t.Run(c.title, func(t *testing.T) {
			st, err := sink.Open(t.Context(), one(c.path), false)
			if c.rule == taken {
				if err != nil {
					t.Fatal(err)
				}
				if err := st.Discard(); err != nil {
					t.Error(err)
				}
				return
			}
			checkRule(t, err, c.path, c.rule)
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("the refused transfer left %v", left)
			}
		})
	}
}

// checkRule checks that err refuses path by rule.
func checkRule(t *testing.T, err error, path string, rule dirsink.Rule) {
	t.Helper()
	n, ok := errors.AsType[*dirsink.NameError](err)
	if !ok || !errors.Is(err, pipeline.ErrName) || !errors.Is(err, fs.ErrInvalid) {
		t.Fatalf("error %v, want a NameError", err)
	}
	if n.Rule != rule {
		t.Errorf("refused because %s, want %s", n.Rule, rule)
	}
	if e, ok := errors.AsType[*pipeline.EntryError](err); !ok || e.Path != path {
		t.Errorf("error %v does not name %q", err, path)
	}
	for _, r := range err.Error() {
		if r < ' ' || r == '\u202e' {
			t.Errorf("error text carries %U", r)
		}
	}
}

func TestLocalNames(t *testing.T) {
	sink := newSink(t, t.TempDir(), &dirsink.Options{Names: dirsink.LocalNames})
	for path, rule := range map[string]dirsink.Rule{
		"12:30.log": taken, "what?": taken, "aux.c": taken, "etc.": taken, " x": taken,
		"..": dirsink.RuleDotDot, `a\b`: dirsink.RuleBackslash, "a\u202eb": dirsink.RuleBidi,
		"a\x00": dirsink.RuleControl, ".ferry": dirsink.RuleStateDir, "/x": dirsink.RuleAbsolute,
	} {
		st, err := sink.Open(t.Context(), one(path), false)
		if rule != taken {
			checkRule(t, err, path, rule)
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", path, err)
			continue
		}
		st.Discard()
	}
}

// TestCollisions offers two names that some system takes for one, in one
// manifest and against a file that exists.
func TestCollisions(t *testing.T) {
	for name, c := range map[string]struct{ first, second string }{
		"case":                 {"README", "readme"},
		"case beyond ASCII":    {"ÄRGER.txt", "ärger.txt"},
		"sharp s":              {"STRASSE", "straße"},
		"normalisation":        {"caf\u00e9", "cafe\u0301"},
		"ligature":             {"\ufb01le", "file"},
		"full width":           {"ａｂｃ", "abc"},
		"joiner":               {"ab", "a\u200db"},
		"emoji style":          {"❤", "❤\ufe0f"},
		"Cyrillic":             {"paypal", "pаypаl"},
		"Cyrillic capitals":    {"COPY", "СОРУ"},
		"Greek":                {"vovo", "νονο"},
		"superscript":          {"x2", "x²"},
		"directory":            {"Photos/a", "photos/b"},
		"directory below":      {"a/Photos/a", "a/photos/b"},
		"file and directory":   {"a", "A/b"},
		"directory normalised": {"caf\u00e9/a", "cafe\u0301/b"},
	} {
		t.Run(name+", manifest", func(t *testing.T) {
			_, err := newSink(t, t.TempDir(), nil).Open(t.Context(), newSource(1, file{c.first, 1}, file{c.second, 1}).m, false)
			checkRule(t, err, c.second, dirsink.RuleCollision)
		})
		t.Run(name+", existing", func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, c.first, "old")
			_, err := newSink(t, dir, nil).Open(t.Context(), one(c.second), false)
			n, ok := errors.AsType[*dirsink.NameError](err)
			if !ok || n.Rule != dirsink.RuleCollision || !strings.HasPrefix(c.first, n.Other) {
				t.Fatalf("error %v", err)
			}
		})
	}
	for name, c := range map[string][]file{
		"same file":          {{"a", 1}, {"a", 1}},
		"file as directory":  {{"a", 1}, {"a/b", 1}},
		"directory as file":  {{"a/b", 1}, {"a", 1}},
		"directory and file": {{"a/", 0}, {"a", 1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSink(t, t.TempDir(), nil).Open(t.Context(), newSource(1, c...).m, false)
			checkRule(t, err, c[1].path, dirsink.RuleCollision)
		})
	}
	t.Run("none", func(t *testing.T) {
		m := newSource(1, file{"a/x", 1}, file{"b/x", 1}, file{"a/", 0}, file{"сор", 1}, file{"Вова", 1}, file{"Ёлка", 1}).m
		open(t, newSink(t, t.TempDir(), nil), m)
	})
}

// put makes a file below dir.
func put(t *testing.T, dir, path, content string) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestManyBadNames(t *testing.T) {
	files := make([]file, 100)
	for i := range files {
		files[i] = file{"ok", 1}
	}
	_, err := newSink(t, t.TempDir(), nil).Open(t.Context(), newSource(1, files...).m, false)
	if !errors.Is(err, pipeline.ErrName) || !strings.HasSuffix(err.Error(), "and 83 more") {
		t.Errorf("error %v", err)
	}
	if len(err.Error()) > 4096 {
		t.Errorf("error text of %d bytes", len(err.Error()))
	}
}

// TestSymlinks makes symbolic links where a transfer would write.
func TestSymlinks(t *testing.T) {
	for name, c := range map[string]struct {
		link, target, path string
		rule               dirsink.Rule
	}{
		"directory outside": {"d", "..", "d/x", dirsink.RuleSymlink},
		"directory inside":  {"d", "real", "d/x", dirsink.RuleSymlink},
		"below":             {"real/d", "..", "real/d/x", dirsink.RuleSymlink},
		"absolute":          {"d", "/", "d/x", dirsink.RuleSymlink},
		"dangling":          {"d", "nowhere", "d/x", dirsink.RuleSymlink},
		"state directory":   {".ferry", "real", "x", dirsink.RuleSymlink},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.target, filepath.Join(dir, c.link)); err != nil {
				t.Fatal(err)
			}
			_, err := newSink(t, dir, &dirsink.Options{Overwrite: dirsink.Replace}).Open(t.Context(), one(c.path), false)
			n, ok := errors.AsType[*dirsink.NameError](err)
			if !ok || n.Rule != c.rule {
				t.Fatalf("error %v", err)
			}
		})
	}
	t.Run("planted before commit", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		s := newSource(1, file{"d/x", 10})
		st := open(t, newSink(t, dir, nil), s.m)
		held(t, st)
		s.writeAll(t, st)
		if err := os.Symlink(outside, filepath.Join(dir, "d")); err != nil {
			t.Fatal(err)
		}
		_, err := s.commit(st)
		checkRule(t, err, "d/x", dirsink.RuleSymlink)
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("written outside: %v", left)
		}
		os.Remove(filepath.Join(dir, "d"))
		if _, err := s.commit(st); err != nil {
			t.Fatal(err)
		}
		s.check(t, dir)
	})
	t.Run("file replaced, not followed", func(t *testing.T) {
		dir := t.TempDir()
		outside := filepath.Join(t.TempDir(), "victim")
		if err := os.WriteFile(outside, []byte("safe"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "x")); err != nil {
			t.Fatal(err)
		}
		s := newSource(1, file{"x", 10})
		st := open(t, newSink(t, dir, &dirsink.Options{Overwrite: dirsink.Replace}), s.m)
		held(t, st)
		s.writeAll(t, st)
		if _, err := s.commit(st); err != nil {
			t.Fatal(err)
		}
		s.check(t, dir)
		if got, _ := os.ReadFile(outside); string(got) != "safe" {
			t.Errorf("the link was followed: %q", got)
		}
	})
}
