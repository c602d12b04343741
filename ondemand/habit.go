package ondemand

import (
	"regexp"
	"slices"
	"strings"
)

// habits are what people write from Python, SQL and C, with what to write instead. A pattern is for the outline of an
// expression, where a quote stands for each character of a text. The first pattern that covers the place of a syntax error
// gives the hint.
var habits = habitTable([][2]string{
	{`and`, "write && for and"},
	{`or`, "write || for or"},
	{`is\s+not\s+(null|none)`, "write !is_null(x), or x != null"},
	{`is\s+(null|none)`, "write is_null(x), or x == null"},
	{`is`, "write == for is"},
	{`not\s+in`, "write !(x in [...])"},
	{`(not\s+)?i?like`, "write contains(s, 'part'), starts_with(s, 'part'), or matches(s, r'pattern')"},
	{`(not\s+)?between`, "write a <= x && x <= b"},
	{`not\s+\w+`, "write ! for not"},
	{`if`, "write c ? x : y"},
	{`case\s+\w+`, "write c ? x : y"},
	{`as\s+\w+|::`, "types convert with functions, such as int64(x), float64(x) or string(x)"},
	{`interval\s+\S+`, "write duration('1h')"},
	{`lambda\s.*|for`, "there are no functions and loops of your own; lists have functions such as sum, mean and min"},
	{`f'+`, "join texts with +: 'n is ' + string(n)"},
	{`<>`, "write != for not equal"},
	{`=<`, "write <="},
	{`===`, "write =="},
	{`[^=<>!]=([^=]|$)`, "write == for equal"},
	{`\*\*|\^`, "write pow(x, y)"},
	{`[^&]&([^&]|$)`, "write && for and"},
	{`[^|]\|([^|]|$)`, "write || for or"},
	{`\?\?`, "write coalesce(x, y)"},
	{`\[[^\[\]]*:[^\[\]]*\]?`, "write substring(s, 0, 3)"},
	{`#`, "a comment begins with // and has a line of its own"},
	{`[‘’“”]`, "quote texts with ' or \""},
	{`\d_\d`, "write numbers without _"},
})

type habit struct {
	pattern *regexp.Regexp
	hint    string
}

func habitTable(rows [][2]string) []habit {
	out := make([]habit, len(rows))
	for i, row := range rows {
		pattern := row[0]
		if isWord(rune(pattern[0])) || pattern[0] == '(' {
			pattern = `\b(` + pattern + `)`
			if c := row[0][len(row[0])-1]; isWord(rune(c)) || c == ')' {
				pattern += `\b`
			}
		}
		out[i] = habit{regexp.MustCompile("(?i)" + pattern), row[1]}
	}
	return out
}

// habitHint says what to write instead of what is at an offset of a text; "" if no habit is known.
func habitHint(text []rune, at int) string {
	out, _ := outline(text)
	all := string(out)
	at = len(string(out[:min(at, len(out))]))
	for _, h := range habits {
		for _, m := range h.pattern.FindAllStringIndex(all, -1) {
			if m[0] <= at && at < m[1] {
				return h.hint
			}
		}
	}
	return ""
}

// nameHints says what to write for names and functions that fstore does not have, in lower case.
var nameHints = map[string]string{
	"none": "write null", "null": "write null", "nil": "write null", "nan": "write 0.0 / 0.0", "true": "write true", "false": "write false",
	"now": "at is the instant of the row", "current_timestamp": "at is the instant of the row", "getdate": "at is the instant of the row",
	"today": "write date_trunc('day', at)", "current_date": "write date_trunc('day', at)",
	"not": "write !x", "iif": "write c ? x : y", "where": "write c ? x : y", "ifelse": "write c ? x : y",
	"nullif": "write x == 0 ? null : x", "cast": "write int64(x), float64(x) or string(x)", "concat": "write x + y",
	"isin": "write x in [...]", "fillna": "write if_null(x, y)",
}

func nameHint(name string) string { return nameHints[strings.ToLower(name)] }

// rawHint says how to write a literal text whose backslashes are meant.
func rawHint(text []rune, at int) string {
	if quote := text[at]; quote == '\'' || quote == '"' {
		if end := literalEnd(text, at); end-at <= 50 && !slices.Contains(text[at+1:max(at+1, end-1)], quote) {
			return "write r" + string(text[at:end]) + ", which keeps backslashes"
		}
	}
	return "write r'…', which keeps backslashes"
}
