package ondemand

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// evaluate returns the value of an expression without inputs, as the page of functions writes values.
func evaluate(t *testing.T, expression string) string {
	t.Helper()
	tree, problem := parse(expression)
	if problem != nil {
		t.Fatalf("%s: %v", expression, problem)
	}
	c := &checker{scope: newScope(&Env{}, nil), program: &Program{}, text: []rune(expression)}
	root, problem := c.checkExpression(tree, noType)
	if problem != nil {
		t.Fatalf("%s: %v", expression, problem)
	}
	typ, err := fstore.ParseType(root.typ.String())
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	p, problems := Compile(Env{}, []Feature{{Name: "x", Type: typ, Expression: expression}})
	if problems != nil {
		t.Fatalf("%s: %v", expression, problems)
	}
	r, err := p.Eval(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return written(&r.Columns[0])
}

// written returns the value of a column of one row.
func written(c *fstore.Column) string {
	text := strings.ReplaceAll(string(c.AppendJSON(nil, 0)), `"`, "'")
	switch {
	case c.Type.Elem() == fstore.Float64 && !c.IsNull(0):
		parts := strings.Split(strings.Trim(text, "[]"), ",")
		for i, p := range parts {
			if parts[i] = strings.Trim(p, "'"); !strings.ContainsAny(p, ".eIN") {
				parts[i] += ".0"
			}
		}
		text = strings.Join(parts, ", ")
		if c.Type.IsList() {
			text = "[" + text + "]"
		}
	case c.Type.IsList():
		text = strings.ReplaceAll(text, ",", ", ")
	}
	return text
}

// The table shows what its functions do, and every function has an example.
func TestExamplesOfTheTable(t *testing.T) {
	for _, f := range functions() {
		if len(f.examples) == 0 {
			t.Errorf("%s has no example", f.name)
		}
		for _, e := range f.examples {
			if got := evaluate(t, e.expression); got != e.value {
				t.Errorf("%s = %s, not %s", e.expression, got, e.value)
			}
		}
	}
}
