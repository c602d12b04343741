package sqlgate

import "strings"

// This file writes the declaration that stands for a call with OVER and a frame of time.

// declared is what the plan says of such a call. It is zero for other findings.
type declared struct{ typ, window string }

// declaredFunctions are the functions of aggregations by those of SQL.
var declaredFunctions = map[string]string{
	"sum": "sum", "avg": "mean", "mean": "mean", "count": "count", "count_star": "count", "min": "min", "max": "max",
	"stddev": "stddev", "stddev_samp": "stddev", "first": "first", "first_value": "first", "last": "last", "last_value": "last",
}

// declaration returns a hint with the declaration of a call, or with less where it has none.
func declaration(text string, call node, d declared) string {
	const declare = "declare it, so that the window moves with time: "
	name := callName(call)
	function := declaredFunctions[name]
	arguments, rest, found := parenthesized(text, call.offset())
	expression := strings.TrimSpace(arguments)
	if distinct, ok := cutWord(expression, "distinct"); ok && name == "count" {
		function, expression = "count_distinct", distinct
	}
	if function == "" || !found {
		return declare + "aggregations: with windows: [" + d.window + "]"
	}
	output := call.str("alias")
	if output == "" {
		output = function
	}
	var b strings.Builder
	b.WriteString(declare + "aggregations: [{name: " + output + ", function: " + function)
	if expression != "" && expression != "*" {
		b.WriteString(", expression: " + yamlText(expression))
	}
	b.WriteString(", type: " + d.typ + ", windows: [" + d.window + "]")
	if filter, ok := cutWord(rest, "filter"); ok {
		condition, _, _ := parenthesized(filter, 0)
		if where, ok := cutWord(strings.TrimSpace(condition), "where"); ok {
			b.WriteString(", where: " + yamlText(where))
		}
	}
	return b.String() + "}]"
}

// yamlText quotes text that YAML would read otherwise inside { }.
func yamlText(s string) string {
	if strings.ContainsAny(s, "{}[],:#&*!|>'\"%@`\n") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// cutWord returns what follows a keyword at the beginning of SQL.
func cutWord(s, keyword string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) <= len(keyword) || !strings.EqualFold(s[:len(keyword)], keyword) || !strings.ContainsAny(s[len(keyword):len(keyword)+1], " \n\t(") {
		return s, false
	}
	return strings.TrimSpace(s[len(keyword):]), true
}

// parenthesized returns the text within the first parentheses after an offset, and the text after them.
func parenthesized(text string, from int) (inside, rest string, found bool) {
	if from < 0 || from > len(text) {
		return "", "", false
	}
	text = text[from:]
	depth, start, end := 0, 0, -1
	scan(text, func(w word) {
		switch {
		case !w.sign || end >= 0:
		case w.text == "(":
			if depth++; depth == 1 {
				start = w.offset + 1
			}
		case w.text == ")":
			if depth--; depth == 0 {
				end = w.offset
			}
		}
	})
	if end < start {
		return "", "", false
	}
	return text[start:end], text[end+1:], true
}
