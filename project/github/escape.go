package github

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/fstore-dev/fstore/internal/terminal"
)

// GitHub makes mentions, references and links of text that is not code. So every text from outside is code: in a span of
// backticks, or in a <code> element whose content has character references for all that Markdown could read.

// longest is how many bytes of a text are shown. A definition can have megabytes.
const longest = 400

// code returns a text as code, on one line, for a paragraph or a cell of a table.
func code(s string) string {
	line := terminal.InCell(brief(s))
	switch {
	case line == "":
		return ""
	case strings.ContainsAny(line, "`|\\$") || line != strings.TrimSpace(line):
		return element(s)
	}
	return "`" + line + "`"
}

// element returns a text as a <code> element. Within a line that begins with a tag, backticks mean nothing.
func element(s string) string {
	return "<code>" + references(terminal.InCell(brief(s)), "&#%d;") + "</code>"
}

// references replaces every character that is neither a letter, a digit, a space nor a full stop.
func references(s, form string) string {
	var out strings.Builder
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == ' ' || r == '.' {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, form, r)
		}
	}
	return out.String()
}

func brief(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

var (
	word   = regexp.MustCompile(`^(\(?)(\pL[\pL’']*(?:-\pL+)*|\d{1,6}|\d{1,3}(?:,\d{3})+)(\)?[.,:;?!]?)$`)
	commit = regexp.MustCompile(`^[0-9a-fA-F]{7,}$`) // GitHub links it
)

// prose returns a sentence whose words stay words. Whatever else it has, such as names and SQL, becomes code.
func prose(s string) string {
	var out, other []string
	flush := func() {
		if len(other) > 0 {
			out, other = append(out, code(strings.Join(other, " "))), nil
		}
	}
	for _, w := range strings.Fields(terminal.InCell(brief(s))) {
		if word.MatchString(w) && !commit.MatchString(w) {
			flush()
			out = append(out, w)
		} else {
			other = append(other, w)
		}
	}
	flush()
	return strings.Join(out, " ")
}

// fence returns the lines that open and close a block of code with some lines: more backticks than any of them has.
func fence(language string, lines []string) (open, end string) {
	most := 2
	for _, line := range lines {
		for run := 0; line != ""; line = line[1:] {
			if run++; line[0] != '`' {
				run = 0
			}
			most = max(most, run)
		}
	}
	ticks := strings.Repeat("`", most+1)
	return ticks + language + "\n", ticks + "\n"
}

// inFence returns a line of a block of code.
func inFence(line string) string {
	return terminal.InCell(strings.ReplaceAll(line, "\t", "    ")) + "\n"
}

// label returns a text between the quotes of a Mermaid label.
func label(s string) string {
	return references(terminal.InCell(brief(s)), "#%d;")
}
