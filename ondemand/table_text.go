package ondemand

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/fstore-dev/fstore/ondemand/vector"
)

// costOfText is the cost of work on a whole text, which may have 64 KiB.
const costOfText = 100

func textTable() []*function {
	const tooLong = "the result is longer than 64 KiB"
	test := func(name string, f func(s, part string) bool) []*form {
		return []*form{sig(name+"(s string, part string) bool", vector.TestTexts(f)).costing(costOfText)}
	}
	all := []*function{
		{
			name: "lower", about: "The text in lower case, by Unicode.", errors: tooLong,
			forms:    []*form{sig("lower(s string) string", vector.MapText(strings.ToLower)).costing(costOfText)},
			examples: []example{{"lower('ÀB')", "'àb'"}},
		},
		{
			name: "upper", about: "The text in upper case, by Unicode.", errors: tooLong,
			forms:    []*form{sig("upper(s string) string", vector.MapText(strings.ToUpper)).costing(costOfText)},
			examples: []example{{"upper('àb')", "'ÀB'"}},
		},
		{
			name: "trim", about: "The text without white space at its ends, by Unicode.",
			forms:    []*form{sig("trim(s string) string", vector.MapText(strings.TrimSpace)).costing(costOfText)},
			examples: []example{{"trim('  a b ')", "'a b'"}},
		},
		{
			name: "length", about: "How many code points a text has, or how many bytes.",
			forms: []*form{
				sig("length(s string) int64", vector.Length).costing(costOfText), sig("length(b bytes) int64", vector.LengthOfBytes),
			},
			examples: []example{{"length('naïve')", "5"}, {"length(b'abc')", "3"}},
		},
		{
			name: "substring", about: "The code points from start to before end, or to the end of the text. Both count from 0. What is outside the text is cut off.",
			forms: []*form{
				sig("substring(s string, start int64) string", vector.Substring).costing(costOfText),
				sig("substring(s string, start int64, end int64) string", vector.Substring).costing(costOfText),
			},
			examples: []example{{"substring('naïve', 2)", "'ïve'"}, {"substring('naïve', 0, 2)", "'na'"}, {"substring('ab', -5, 99)", "'ab'"}, {"substring('ab', 2, 1)", "''"}},
		},
		{name: "starts_with", about: "Whether s begins with part.", forms: test("starts_with", strings.HasPrefix), examples: []example{{"starts_with('abc', 'ab')", "true"}}},
		{name: "ends_with", about: "Whether s ends with part.", forms: test("ends_with", strings.HasSuffix), examples: []example{{"ends_with('abc', 'bc')", "true"}}},
		{name: "contains", about: "Whether part is in s.", forms: test("contains", strings.Contains), examples: []example{{"contains('abc', 'x')", "false"}}},
		{
			name: "replace", about: "s with each old, from the left, replaced by new. An empty old replaces nothing.", errors: tooLong,
			forms:    []*form{sig("replace(s string, old string, new string) string", vector.Replace).costing(2 * costOfText)},
			examples: []example{{"replace('a-b-c', '-', '')", "'abc'"}, {"replace('ab', '', 'x')", "'ab'"}},
		},
		{
			name: "split", about: "The texts between the separators. An empty separator splits into code points.", errors: "there are more than 4,096",
			forms:    []*form{sig("split(s string, separator string) list<string>", vector.Split).costing(2 * costOfText)},
			examples: []example{{"split('a,b,', ',')", "['a', 'b', '']"}, {"split('añ', '')", "['a', 'ñ']"}, {"split('', ',')", "['']"}},
		},
		matches(),
		{
			name: "hash64", about: "xxHash64 with seed 0, read as a signed integer: of the UTF-8 of a text, of bytes, or of the 8 bytes of an integer, lowest first.",
			forms: []*form{
				sig("hash64(x string) int64", vector.HashText).costing(20), sig("hash64(x bytes) int64", vector.HashBytes).costing(20),
				sig("hash64(x int64) int64", vector.HashInt).costing(5),
			},
			examples: []example{{"hash64('')", "-1205034819632174695"}, {"hash64(1)", "-6977822845260490347"}},
		},
		{
			name: "bucket", about: "x, read as an unsigned integer, modulo n: 0 to n - 1. For other types, `bucket(hash64(x), n)`.", errors: "n is not positive",
			forms:    []*form{bucketForm()},
			examples: []example{{"bucket(hash64('fr'), 100)", "99"}, {"bucket(-1, 10)", "5"}},
		},
	}
	for _, f := range all {
		f.group = textGroup
	}
	return all
}

func matches() *function {
	f := sig("matches(s string, pattern string) bool", nil).costing(costOfText)
	f.bind = func(call *node, args []*node) (vector.Kernel, *badLiteral) {
		pattern := args[1]
		if pattern.kind != literalNode {
			return nil, &badLiteral{pattern, "the pattern of matches must be a literal", ""}
		}
		if i := strings.IndexFunc(pattern.lit.s, isControl); i >= 0 {
			return nil, &badLiteral{pattern, fmt.Sprintf("the pattern has the control character %U", pattern.lit.s[i]), patternHint(pattern.lit.s)}
		}
		tree, err := syntax.Parse(pattern.lit.s, syntax.Perl)
		if err != nil {
			return nil, &badLiteral{pattern, strings.Replace(err.Error(), "error parsing regexp:", "the pattern is wrong:", 1), "patterns have the syntax of RE2"}
		}
		call.cost = costOfText * (1 + instructions(tree)) // each instruction may look at each byte
		if call.cost > MaxCost {
			return nil, &badLiteral{pattern, tooCostly("the pattern costs", call.cost, MaxCost), "shorten it; x{100} counts as a hundred x"}
		}
		return vector.Matches(regexp.MustCompile(pattern.lit.s)), nil
	}
	return &function{
		name: "matches", forms: []*form{f},
		about:    "Whether a pattern of RE2 matches anywhere in s. The pattern is a literal; `^` and `$` anchor it. A long pattern costs more.",
		examples: []example{{"matches('order 17', '[0-9]+$')", "true"}, {"matches('ab', '^b')", "false"}},
	}
}

func isControl(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r", r) }

// patternHint says how to write a pattern whose escapes became control characters: \b is a backspace in a text.
func patternHint(pattern string) string {
	meant := strings.NewReplacer("\a", `\a`, "\b", `\b`, "\f", `\f`, "\v", `\v`).Replace(pattern)
	if len(meant) > 50 || strings.ContainsAny(meant, "'\n") || strings.ContainsFunc(meant, isControl) {
		meant = "…"
	}
	return `in a text, \b is a backspace; write r'` + meant + "', which keeps backslashes"
}

// instructions returns how many steps a pattern compiles to, without compiling it: that of a few kilobytes may have millions.
func instructions(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat:
		return n
	case syntax.OpAlternate:
		return n + len(re.Sub) - 1
	case syntax.OpCapture:
		return n + 2
	case syntax.OpRepeat:
		if re.Max < 0 {
			return max(1, re.Min)*n + 1
		}
		return re.Max*n + re.Max - re.Min
	default:
		return n + 1
	}
}

func bucketForm() *form {
	f := sig("bucket(x int64, n int64) int64", vector.Bucket).mayFail()
	f.bind = func(call *node, args []*node) (vector.Kernel, *badLiteral) {
		if n := args[1]; n.kind == literalNode && n.lit.i <= 0 {
			return nil, &badLiteral{n, "the number of buckets must be positive", "for example 100"}
		}
		return call.kernel, nil
	}
	return f
}
