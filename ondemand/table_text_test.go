package ondemand

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
)

// The steps of a pattern are those it compiles to, without the two that begin and end every program.
func TestInstructions(t *testing.T) {
	for _, pattern := range []string{
		"a", "abc", "[a-z]+", "(a|b)*c?", "x{3}", "x{2,5}", "x{0,5}", "x{3,}", "x{0,}", "x{1,}", "(ab){2,7}$",
		`^(?i:straße|foo)\b.`, "(x{2}){3}", "(a|bc|d){500}", "[0-9]+$", "(a*){4}", `\pL{100}`,
	} {
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := instructions(tree), len(program.Inst)-2; got != want {
			t.Errorf("%s has %d steps, not %d", pattern, want, got)
		}
	}
}

// A pattern of a few kilobytes may compile to millions of steps, and take seconds and hundreds of megabytes. It is refused
// before.
func TestPatternsThatGrowAreRefusedBeforeTheyAreCompiled(t *testing.T) {
	for name, pattern := range map[string]string{
		"dots": strings.Repeat(".{1000}", 1100), "classes": strings.Repeat(`\\pL{1000}`, 700),
		"alternatives": strings.Repeat("(a|b|c|d|ef){500}", 400), "many patterns": strings.Repeat(".{99}')||matches(name,'", 300),
	} {
		t.Run(name, func(t *testing.T) {
			f := Feature{Name: "f", Type: fstore.Bool, Expression: "matches(name,'" + pattern + "')"}
			alloctest.AtMost(t, 16<<20, func() {
				_, problems := Compile(shop, []Feature{f})
				if len(problems) != 1 || !strings.Contains(problems[0].Message, "costs") {
					t.Errorf("%v", problems)
				}
			})
		})
	}
}

// What is too long for an instant is not read as one: each of the parser's errors would repeat the text.
func TestLongTextsAreNoInstants(t *testing.T) {
	const rows = 100
	text := fstore.NewColumn("s", fstore.String, rows)
	for range rows {
		text.Append(strings.Repeat("2", 60_000))
	}
	alloctest.AtMost(t, rows*1000, func() {
		r := run(t, []Feature{{Name: "f", Type: fstore.Timestamp, Expression: "timestamp(s)"}}, map[string]*fstore.Column{"s": &text})
		if len(r.Faults) != 1 || r.Faults[0].Rows != rows {
			t.Errorf("got %v", r.Faults)
		}
	})
}
