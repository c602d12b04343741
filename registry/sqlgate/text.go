package sqlgate

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
)

// The engine does not say of everything where it stands in the text: not of parameters, and not of all names it does
// not know. The words of the text are searched for them.

// word is a name, a parameter or a sign in SQL text, without the quotes of a name.
type word struct {
	text      string
	offset    int // in bytes
	parameter bool
	sign      bool
}

// words returns the names and parameters of SQL text, outside of strings and comments, in order.
func words(text string) []word {
	var out []word
	scan(text, func(w word) {
		if !w.sign {
			out = append(out, w)
		}
	})
	return out
}

// scan calls each with the names, parameters and signs of SQL text, outside of strings and comments, in order.
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
			at += len(numberText.FindString(rest)) // a letter right behind it begins a name
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			at++
		default:
			n := nameLength(rest)
			for n > 0 && n < len(rest) && rest[n] == '$' { // which a name may have behind its first letter
				n += 1 + nameLength(rest[n+1:])
			}
			each(word{text: rest[:max(n, 1)], offset: at, sign: n == 0})
			at += max(n, 1)
		}
	}
}

var numberText = regexp.MustCompile(`^(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?)`)

// lengthTo returns how much of text there is up to and with end, all of it where there is none.
func lengthTo(text, end string) int {
	if n := strings.Index(text, end); n >= 0 {
		return n + len(end)
	}
	return len(text)
}

// commentLength returns the length of the comment that a text begins with; comments nest.
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

// quotes says how a quoted text has its quote in it.
type quotes int

const (
	doubledQuotes quotes = iota
	escapedQuotes        // doubled too, or behind a backslash
)

// quoting returns how the string is written that begins behind a text: e'…' has escapes.
func quoting(before string) quotes {
	if strings.HasSuffix(before, "e") || strings.HasSuffix(before, "E") {
		if nameLength(lastByte(before[:len(before)-1])) == 0 {
			return escapedQuotes
		}
	}
	return doubledQuotes
}

func lastByte(s string) string { return s[max(0, len(s)-1):] }

// quotedLength returns the length of the quoted text that a text begins with.
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

// nameLength returns the length of the letters, digits and underscores that a text begins with.
func nameLength(text string) int {
	for i, r := range text {
		isName := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= utf8.RuneSelf
		if !isName {
			return i
		}
	}
	return len(text)
}

// placeParameters gives parameters their places, in order: what is said of one is said of all of them.
func placeParameters(found []Finding, text string) {
	places := parameters(text)
	for i := range found {
		if found[i].Message == parameterMessage && len(places) > 0 {
			found[i].Offset, places = places[0], places[1:]
		}
	}
}

// parameters returns where the parameters of SQL text stand.
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

// placeOf returns where the name stands that a message quotes first, if it stands in one place only; else -1.
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

// engineMessages are messages of the engine that do not say what to do, by what they contain.
var engineMessages = []struct{ contains, message, hint string }{
	{"only select statements", notSelect, notSelectHint},
	{"only a select statement", notSelect, notSelectHint},
	{"there is no statement", "there is no statement", "a view is one SELECT"},
	{"there is more than one statement", "there is more than one statement", "a view is one SELECT; WITH gives a part of it a name"},
	{"positional parameters", parameterMessage, "write the value out"},
	{"brackets within each other", fmt.Sprintf("nested too deep: more than %d brackets within each other", maxNesting), "give a part of it a name: WITH name AS (…)"},
	{"memory exhausted", "nested too deep", "give a part of it a name: WITH name AS (…)"},
	{"max expression depth", "an expression of more than 1,000 parts within each other", "a list, CASE or join instead; or give a part of it a name: WITH name AS (…)"},
	{"pg_verifymbstr", "an escape in e'…' that is no character", "chr(…), or the character itself"},
}

const (
	notSelect     = "this is not a SELECT"
	notSelectHint = "a view is one SELECT, WITH … SELECT, or FROM; a PIVOT lists its values: IN (…)"
)

// explain says what the engine's error about SQL text means.
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
