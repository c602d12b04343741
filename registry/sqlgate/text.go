package sqlgate

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
)

// The engine does not give every position: not that of parameters, and not that of all unknown names. So the gate
// searches the words of the text for them.

// word is a name, a parameter or a symbol in SQL text. A name has no quotes.
type word struct {
	text      string
	offset    int // in bytes
	parameter bool
	sign      bool
}

// words returns the names and parameters of SQL text in order, without those in strings and comments.
func words(text string) []word {
	var out []word
	scan(text, func(w word) {
		if !w.sign {
			out = append(out, w)
		}
	})
	return out
}

// scan calls each with every name, parameter and symbol of SQL text in order, without those in strings and comments.
func scan(text string, each func(word)) {
	for at := 0; at < len(text); {
		rest := text[at:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "--"):
			at += lengthTo(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			at += commentLength(rest)
		case c == '\'':
			at += quotedLength(rest, quoting(text[:at]))
		case c == '"':
			n := quotedLength(rest, doubledQuotes)
			each(word{text: strings.ReplaceAll(strings.Trim(rest[:n], `"`), `""`, `"`), offset: at})
			at += n
		case c == '$':
			n := 1 + nameLength(rest[1:])
			if n < len(rest) && rest[n] == '$' { // $tag$ text $tag$
				at += n + 1 + lengthTo(rest[n+1:], rest[:n+1])
				continue
			}
			each(word{text: rest[:n], offset: at, parameter: true})
			at += n
		case c == '?':
			each(word{text: "?", offset: at, parameter: true})
			at++
		case c >= '0' && c <= '9':
			at += len(numberText.FindString(rest)) // a letter right after a number begins a name
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			at++
		default:
			n := nameLength(rest)
			for n > 0 && n < len(rest) && rest[n] == '$' { // a name may contain $ after its first letter
				n += 1 + nameLength(rest[n+1:])
			}
			each(word{text: rest[:max(n, 1)], offset: at, sign: n == 0})
			at += max(n, 1)
		}
	}
}

var numberText = regexp.MustCompile(`^(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?)`)

// lengthTo returns the length of text through the first end, or of all of text if there is none.
func lengthTo(text, end string) int {
	if n := strings.Index(text, end); n >= 0 {
		return n + len(end)
	}
	return len(text)
}

// commentLength returns the length of the comment that text begins with. Comments nest.
func commentLength(text string) int {
	depth := 0
	for at := 0; at < len(text); {
		switch {
		case strings.HasPrefix(text[at:], "/*"):
			depth++
			at += 2
		case strings.HasPrefix(text[at:], "*/"):
			depth--
			at += 2
		default:
			at++
		}
		if depth == 0 {
			return at
		}
	}
	return len(text)
}

// quotes says how a quoted text escapes its quote.
type quotes int

const (
	doubledQuotes quotes = iota
	escapedQuotes        // doubled, or after a backslash
)

// quoting returns how the string after before escapes its quote: e'…' has backslash escapes.
func quoting(before string) quotes {
	if strings.HasSuffix(before, "e") || strings.HasSuffix(before, "E") {
		if nameLength(lastByte(before[:len(before)-1])) == 0 {
			return escapedQuotes
		}
	}
	return doubledQuotes
}

func lastByte(s string) string { return s[max(0, len(s)-1):] }

// quotedLength returns the length of the quoted text that text begins with.
func quotedLength(text string, how quotes) int {
	quote := text[0]
	for at := 1; at < len(text); at++ {
		switch {
		case text[at] == '\\' && how == escapedQuotes:
			at++
		case text[at] == quote && at+1 < len(text) && text[at+1] == quote:
			at++
		case text[at] == quote:
			return at + 1
		}
	}
	return len(text)
}

// nameLength returns the length of the letters, digits and underscores that text begins with.
func nameLength(text string) int {
	for i, r := range text {
		isName := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= utf8.RuneSelf
		if !isName {
			return i
		}
	}
	return len(text)
}

// placeParameters gives findings about parameters their positions, in order. All of them have the same message.
func placeParameters(found []Finding, text string) {
	places := parameters(text)
	for i := range found {
		if found[i].Message == parameterMessage && len(places) > 0 {
			found[i].Offset, places = places[0], places[1:]
		}
	}
}

// parameters returns the offsets of the parameters in SQL text.
func parameters(text string) []int {
	var places []int
	for _, w := range words(text) {
		if w.parameter {
			places = append(places, w.offset)
		}
	}
	return places
}

func firstParameter(text string) int {
	if places := parameters(text); len(places) > 0 {
		return places[0]
	}
	return -1
}

var quotedName = regexp.MustCompile(`"([^"]+)"`)

// placeOf returns the offset of the first name that a message quotes, if it occurs exactly once in text, or -1.
func placeOf(message, text string) int {
	m := quotedName.FindStringSubmatch(message)
	if m == nil {
		return -1
	}
	at := -1
	for _, w := range words(text) {
		if !w.parameter && strings.EqualFold(w.text, m[1]) {
			if at >= 0 {
				return -1
			}
			at = w.offset
		}
	}
	return at
}

// engineMessages replaces engine messages that do not say what to do. contains selects them.
var engineMessages = []struct{ contains, message, hint string }{
	{"only select statements", notSelect, notSelectHint},
	{"only a select statement", notSelect, notSelectHint},
	{"there is no statement", "there is no statement", "a view is one SELECT"},
	{"there is more than one statement", "there is more than one statement", "a view is one SELECT; WITH names its parts"},
	{"positional parameters", parameterMessage, "write the value out"},
	{"nested brackets", fmt.Sprintf("nested too deep: more than %d nested brackets", maxNesting), "name a part of it: WITH name AS (…)"},
	{"memory exhausted", "nested too deep", "name a part of it: WITH name AS (…)"},
	{"max expression depth", "an expression nested more than 1,000 levels deep", "use a list, CASE or join; or name a part of it: WITH name AS (…)"},
	{"pg_verifymbstr", "an escape in e'…' that is not a character", "chr(…), or the character itself"},
}

const (
	notSelect     = "this is not a SELECT"
	notSelectHint = "a view is one SELECT, WITH … SELECT, or FROM; a PIVOT must list its values: IN (…)"
)

// explain turns the engine's error about SQL text into a finding.
func explain(text string, e *fstore.SQLError) Finding {
	message, rest, _ := strings.Cut(strings.TrimSpace(e.Message), "\n")
	message = strings.TrimSpace(message)
	for _, prefix := range []string{"Binder Error: ", "Parser Error: ", "Catalog Error: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	f := Finding{Offset: e.Offset, Message: message, Hint: e.Hint}
	for _, line := range strings.Split(rest, "\n") {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"Candidate bindings:", "Did you mean:", "Did you mean"} {
			if names, ok := strings.CutPrefix(line, prefix); ok {
				f.Hint = "did you mean " + strings.Trim(names, " :?") + "?"
				break
			}
		}
	}
	for _, m := range engineMessages {
		if strings.Contains(strings.ToLower(message), m.contains) {
			f.Message, f.Hint = m.message, m.hint
		}
	}
	if f.Offset < 0 && f.Message == parameterMessage {
		f.Offset = firstParameter(text)
	} else if f.Offset < 0 {
		f.Offset = placeOf(message, text)
	}
	return f
}
