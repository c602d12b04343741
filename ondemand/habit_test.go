package ondemand

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// What people write from Python and SQL is an error that says what to write here.
func TestProblemsSayWhatToWriteInstead(t *testing.T) {
	for _, test := range []struct{ expression, at, hint string }{
		{"vip and vip", `1:5: syntax: unexpected "and"`, "write && for and"},
		{"vip AND vip", `1:5: syntax: unexpected "AND"`, "write && for and"},
		{"vip or vip", `1:5: syntax: unexpected "or"`, "write || for or"},
		{"not vip", `1:5: syntax: unexpected "vip"`, "write ! for not"},
		{"not (vip)", "1:1: unknown function not", "write !x"},
		{"n if vip else 2", `1:3: syntax: unexpected "if"`, "write c ? x : y"},
		{"if(vip, 1, 2)", "1:1: syntax: if is a reserved word", "write c ? x : y"},
		{"CASE WHEN vip THEN 1 END", `1:6: syntax: unexpected "WHEN"`, "write c ? x : y"},
		{"n is None", `1:3: syntax: unexpected "is"`, "write is_null(x), or x == null"},
		{"n IS NOT NULL", `1:3: syntax: unexpected "IS"`, "write !is_null(x), or x != null"},
		{"n = 1", `1:3: syntax: unexpected "="`, "write == for equal"},
		{"n=1", `1:2: syntax: unexpected "="`, "write == for equal"},
		{"n === 1", "1:5: syntax: unexpected token", "write =="},
		{"n <> 1", `1:4: syntax: unexpected token ">"`, "write != for not equal"},
		{"n between 1 and 2", `1:3: syntax: unexpected "between"`, "write a <= x && x <= b"},
		{"name like 'and%'", `1:6: syntax: unexpected "like"`, "contains(s, 'part')"},
		{"n not in [1]", `1:3: syntax: unexpected "not"`, "write !(x in [...])"},
		{"n::int", `1:2: syntax: unexpected ":"`, "such as int64(x)"},
		{"cast(n as int)", `1:8: syntax: expected ')', not "as"`, "such as int64(x)"},
		{"cast(n)", "1:1: unknown function cast", "write int64(x)"},
		{"n ** 2", `1:4: syntax: unexpected token "*"`, "write pow(x, y)"},
		{"n ^ 2", `1:3: syntax: unexpected character "^"`, "write pow(x, y)"},
		{"vip & vip", "1:5: syntax: unexpected single '&', expected '&&'", "write && for and"},
		{"vip | vip", "1:5: syntax: unexpected single '|', expected '||'", "write || for or"},
		{"name[0:3]", `1:7: syntax: expected ']', not ":"`, "write substring(s, 0, 3)"},
		{"name[0]", "1:5: [] has no meaning", "write substring(name, 0, 1)"},
		{"f'a{n}'", `1:2: syntax: unexpected "'"`, "join texts with +"},
		{"at - interval '1 hour'", `1:15: syntax: unexpected "'"`, "write duration('1h')"},
		{"n == None", "1:6: unknown name None", "write null"},
		{"vip == True", "1:8: unknown name True", "write true"},
		{"lambda x: x", `1:8: syntax: unexpected "x"`, "no functions and loops"},
		{"sum([x for x in vec])", `1:8: syntax: expected ']', not "for"`, "no functions and loops"},
		{"name || name", "1:1: || takes bool, not string", "to join texts, write +"},
		{"nullif(n, 0)", "1:1: unknown function nullif", "write x == 0 ? null : x"},
		{"now()", "1:1: unknown function now", "at is the instant"},
		{"'a' in name", "1:5: in has no meaning", "write contains(name, 'a')"},
		{"np.log(pickup_lat)", "1:4: functions are not called as members", "write log(x) instead of np.log(x)"},
		{"pickup_lat.log()", "1:12: functions are not called as members", "write log(x) instead of x.log()"},
		{"0.0 < pickup_lat < 5.0", "1:18: < has no meaning for bool and float64", "write a < b && b < c"},
		{"9223372036854775808", "1:1: syntax: the number is outside int64", "9223372036854775807"},
		{"hour(at, 'BST')", `1:10: unknown time zone "BST"`, "such as Europe/London"},
		{"# n", `1:1: syntax: unexpected character "#"`, "a comment begins with //"},
		{"1_000", `1:2: syntax: unexpected "_000"`, "without _"},
		{"name == ’and’", `1:9: syntax: unexpected character "’"`, "quote texts"},

		{"at - 3600", "1:4: - has no meaning", "write a length of time as duration('1h')"},
		{"int64(n)", "1:1: int64 does not take (int64)", "it is one already: drop the call"},
		{"float64(pickup_lat)", "1:1: float64 does not take (float64)", "it is one already: drop the call"},
		{"'code' + 1", "1:8: + has no meaning", "write string(1)"},
		{"n + name", "1:3: + has no meaning", "write string(n)"},
		{"vip ? 'a' : 1", "1:13: the branches of ?:", "they must have one type"},
		{"dot(vec, [1, 2])", "1:1: dot does not take", "write 1.0 for 1"},
		{"store.lat + 1", "1:1: unknown name store.lat", "add store.lat to uses"},
		{"hours(at - event(shop))", "1:18: unknown view shop", "add a feature of it to uses, such as shop.*"},

		{`matches(name, '\bRED\b')`, "1:15: the pattern has the control character U+0008", `write r'\bRED\b'`},
		{`matches(name, '''\b'x''')`, "1:15: the pattern has the control character U+0008", "write r'…'"},
		{`matches(name, '\x01')`, "1:15: the pattern has the control character U+0001", "write r'…'"},
		{`matches(name, '\d+')`, "1:15: syntax: unable to unescape string", `write r'\d+'`},
		{`matches(name, "a\"\d")`, "1:15: syntax: unable to unescape string", "write r'…'"},

		{"'x' and 'a and b'", `1:5: syntax: unexpected "and"`, "write && for and"},
		{"n n\n\n// x and y", `1:3: syntax: unexpected "n"`, ""},
		{"vip && && vip", "1:8: syntax: unexpected token", ""},
		{"n == == 1", "1:6: syntax: unexpected token", ""},
		{"'and' 'or'", `1:7: syntax: unexpected "'"`, ""},
		{"vip\n  and vip", `2:3: syntax: unexpected "and"`, "write && for and"},
	} {
		_, problems := Compile(shop, []Feature{{Name: "x", Type: fstore.Float64, Expression: test.expression}})
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "x:"+test.at) || !strings.Contains(problems[0].Hint, test.hint) || (test.hint == "") != (problems[0].Hint == "") {
			t.Errorf("%q:\n got %v\nwant %s (%s)", test.expression, problems, test.at, test.hint)
		}
	}
}

// Patterns may have the control characters of layout, and escapes in raw texts.
func TestPatternsThatAreMeant(t *testing.T) {
	for _, expression := range []string{`matches(name, r'\bRED\b')`, `matches(name, '\\bRED')`, `matches(name, 'a\t\n\r')`, `matches(name, r'\d\f')`} {
		if _, problems := Compile(shop, []Feature{{Name: "x", Type: fstore.Bool, Expression: expression}}); problems != nil {
			t.Errorf("%s: %v", expression, problems)
		}
	}
}
