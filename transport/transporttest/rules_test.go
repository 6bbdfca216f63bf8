package transporttest

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chunkferry/chunkferry/transport"
)

// TestChecksQuoteTheRules compares the table with the contract: every check
// quotes a rule in its own words, and every rule has a check.
func TestChecksQuoteTheRules(t *testing.T) {
	source, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "//", " ")), " ")
	rules := map[string]string{} // heading, such as "R9 Concurrency", to text
	headings := regexp.MustCompile(`R\d+ [A-Z][a-z-]+( [a-z]+)?\. `).FindAllStringIndex(words, -1)
	for i, at := range headings {
		end := len(words)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		rules[words[at[0]:at[1]-2]] = words[at[1]:end]
	}
	if len(rules) != 16 {
		t.Fatalf("found %d rules in transport/doc.go, want 16", len(rules))
	}
	checked, names := map[string]bool{}, map[string]bool{}
	for _, r := range Checks() {
		heading, quote, _ := strings.Cut(r.Text, ". ")
		checked[heading] = true
		if !strings.Contains(rules[heading], quote) {
			t.Errorf("check %s quotes %q, which rule %q does not say", r.Check, quote, heading)
		}
		if names[r.Check] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(r.Check) {
			t.Errorf("the name %q is used twice or not fit for -run", r.Check)
		}
		names[r.Check] = true
	}
	for heading := range rules {
		if !checked[heading] {
			t.Errorf("rule %q has no check", heading)
		}
	}
}

// TestCheckReportsFailure runs the kit as a command does, on a channel that
// breaks one rule.
func TestCheckReportsFailure(t *testing.T) {
	m := &mutant{fault: edits(func(m transport.Message) *transport.Message {
		if m.Text {
			m.Data = bytes.TrimPrefix(m.Data, []byte("\ufeff"))
		}
		return &m
	})}
	pair, opts := m.options(3*time.Second, time.Second)
	var names, failed []string
	err := Check(t.Context(), pair, &opts, func(r Result) {
		names = append(names, r.Name)
		if r.Err != nil {
			failed = append(failed, r.Name)
		}
	})
	if err == nil || strings.Join(failed, " ") != "text-bytes" {
		t.Errorf("Check = %v with %q failed, want an error and text-bytes", err, failed)
	}
	for i, r := range Checks() {
		if i >= len(names) || names[i] != r.Check {
			t.Fatalf("Check reported %q, want the order of Checks", names)
		}
	}
}
