package definition_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"golang.org/x/tools/txtar"
)

// A mistake in an expression has its place in the file, however YAML writes the expression. « marks the place.
func TestPlacesInExpressions(t *testing.T) {
	for _, c := range []struct{ name, expression string }{
		{"plain", `hour(at) + «nope`},
		{"plain with characters of several bytes", `length('äöü') + «nope`},
		{"plain over lines", "hour(at)\n      + 1\n\n      + «nope"},
		{"single quotes", `'length(''ä'') + «nope'`},
		{"single quotes over lines", "'length(''ä'')\n\n      + «nope'"},
		{"double quotes", `"length('\"\\\\\u00e4\x41\U0001f600') + «nope"`},
		{"double quotes with escaped white space", `"hour(at)\n\t +\x20\n«nope"`},
		{"double quotes over lines", "\"hour(at) \\\n      + 1\n\n      + «nope\""},
		{"literal block", "| # header\n      hour(at)\n        // why\n        + 1\n\n      + «nope\n"},
		{"literal block that begins with empty lines", "|-\n\n\n      hour(at)\n      + «nope\n"},
		{"literal block with an indicator", "|2\n          hour(at)\n        + «nope"},
		{"folded block", ">\n      hour(at)\n      + 1\n\n        + 2\n      + «nope\n"},
		{"on the next line", "\n      hour(at) + «nope"},
		{"variable before it", `hour(at) + ${SETN:-12} + «nope`},
		{"within a variable", `hour(at) + «${ONE:-nope}`},
		{"dollar before it", `"length('$${x}$') + «nope"`},
		{"end of the text", `hour(at) +«`},
		{"end of a block", "|\n      hour(at) +«\n\n"},
		{"end of quotes", `'hour(at) +«'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			marked := "kind: on_demand_view\nname: clock\nfeatures:\n  - name: x\n    type: int64\n    expression: " + c.expression + "\n"
			before, after, _ := strings.Cut(marked, "«")
			line := before[strings.LastIndexByte(before, '\n')+1:]
			want := fmt.Sprintf("d.yaml:%d:%d: ", 1+strings.Count(before, "\n"), 1+len([]rune(line)))
			archive := &txtar.Archive{Files: []txtar.File{{Name: "d.yaml", Data: []byte(before + after)}}}
			_, err := definitiontest.CheckWhere(t, archive, func(string) (string, bool) { return "", false })
			problems, _ := err.(definition.Problems)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) {
				t.Errorf("got\n%v\nwant %s…", err, want)
			}
		})
	}
}
