package ondemand

import (
	"slices"
	"strings"
)

// outline returns an expression without what its literal texts and comments say: a quote stands for each character of a
// text, and a space for each character of a comment. comment is the offset of the first comment that does not begin its
// line; -1 if there is none.
func outline(text []rune) (out []rune, comment int) {
	out, comment = slices.Clone(text), -1
	blank := true // what is before on the line
	for i := 0; i < len(text); i++ {
		switch r := text[i]; {
		case r == '\n':
			blank = true
		case r == '\'' || r == '"':
			end := literalEnd(text, i)
			fill(out[i:end], '\'')
			i, blank = end-1, false
		case r == '/' && i+1 < len(text) && text[i+1] == '/':
			if !blank && comment < 0 {
				comment = i
			}
			end := i + before(text[i:], '\n')
			fill(out[i:end], ' ')
			i = end - 1
		case !strings.ContainsRune(" \t\r\f", r):
			blank = false
		}
	}
	return out, comment
}

// literalEnd returns the offset after the literal text whose first quote is at an offset.
func literalEnd(text []rune, start int) int {
	quote := text[start : start+1]
	if end := start + 3; end <= len(text) && text[start+1] == quote[0] && text[start+2] == quote[0] {
		quote = text[start:end]
	}
	prefix := start
	for prefix > 0 && isWord(text[prefix-1]) {
		prefix--
	}
	raw := slices.Contains([]string{"r", "br", "rb"}, strings.ToLower(string(text[prefix:start])))
	for i := start + len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case text[i] == '\n' && len(quote) == 1:
			return i // the parser reports it
		case i+len(quote) <= len(text) && slices.Equal(text[i:i+len(quote)], quote):
			return i + len(quote)
		}
	}
	return len(text)
}

func before(text []rune, r rune) int {
	if i := slices.Index(text, r); i >= 0 {
		return i
	}
	return len(text)
}

func fill(text []rune, r rune) {
	for i := range text {
		text[i] = r
	}
}
