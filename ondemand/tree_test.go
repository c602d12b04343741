package ondemand

import (
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// canonicalForm returns the form of an expression for fingerprints.
func canonicalForm(t testing.TB, typ fstore.Type, expression string) string {
	t.Helper()
	p, problems := Compile(shop, []Feature{{Name: "earlier", Type: fstore.Int64, Expression: "1"}, {Name: "f", Type: typ, Expression: expression}})
	if problems != nil {
		t.Fatal(problems)
	}
	return p.Canonical(1)
}

func TestCanonicalForm(t *testing.T) {
	const want = `1(+:float64 (input "pickup_lat":float64) (lit 0x1p+01:float64))`
	if got := canonicalForm(t, fstore.Float64, "pickup_lat + 2"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, same := range [][]string{
		{"n + 1", "n+1", "(n) + (1)", "((n + 1))", "n\n  // the count\n + 1"},
		{"vip && n > 1 && n < 9", "(vip && n > 1) && n < 9", "vip && (n > 1 && n < 9)"},
		{"pickup_lat * 2", "pickup_lat * 2.0", "pickup_lat*2e0"},
		{"pickup_lat * -2", "pickup_lat * -(2)", "pickup_lat * (-2.0)"},
		{"name == 'a'", `name == "a"`, `name == '\x61'`},
		{"n == null", "is_null(n)", "null == n"},
		{"if_null(n, 1)", "coalesce(n, 1)"},
		{"vip ? 1.0 : 2", "vip ? 1 : 2.0"},
	} {
		for _, e := range same[1:] {
			if got, want := anyForm(t, e), anyForm(t, same[0]); got != want {
				t.Errorf("%s and %s differ:\n%s\n%s", same[0], e, want, got)
			}
		}
	}
	seen := map[string]string{}
	for _, e := range []string{
		"n + 1", "1 + n", "n + 2", "n - 1", "small + 1", "earlier + 1", "n + earlier", "n + (1 + 1)", "(n + 1) + 1", "n < 1", "1 > n",
		"vip && n == 1", "n == 1 && vip", "vip || n == 1", "name == 'a'", "name == 'b'", "name == 'n'", "n == 1",
		"coalesce(n, 1)", "coalesce(1, n)", "hour(at)", "hour(at, 'UTC')", "hour(event(customer_orders))", "n in [1, 2]", "n in [2, 1]",
	} {
		form := anyForm(t, e)
		if other, ok := seen[form]; ok {
			t.Errorf("%s and %s have one form: %s", e, other, form)
		}
		seen[form] = e
	}
}

// anyForm is canonicalForm for an expression of any type.
func anyForm(t testing.TB, expression string) string {
	t.Helper()
	for _, typ := range []fstore.Type{fstore.Int64, fstore.Float64, fstore.Bool, fstore.String} {
		if _, problems := Compile(shop, []Feature{{Name: "earlier", Type: fstore.Int64, Expression: "1"}, {Name: "f", Type: typ, Expression: expression}}); problems == nil {
			return canonicalForm(t, typ, expression)
		}
	}
	t.Fatalf("%s has no type", expression)
	return ""
}

// Layout does not change the form of a random expression, and swapped operands do.
func TestLayoutDoesNotChangeTheForm(t *testing.T) {
	env := Env{}
	for typ, names := range variables {
		ft, err := fstore.ParseType(typ.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			env.Columns = append(env.Columns, Column{name, ft})
		}
	}
	form := func(t *rapid.T, e string) string {
		p, problems := Compile(env, []Feature{{Name: "f", Type: fstore.Int64, Expression: e}})
		if problems != nil {
			t.Fatalf("%s: %v", e, problems)
		}
		return p.Canonical(0)
	}
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawTwin(t, intType, 3).ours, drawTwin(t, intType, 3).ours
		got, want := form(t, "("+strings.ReplaceAll(x, ", ", " ,\n\t")+"\n// a comment\n)"), form(t, x)
		if got != want {
			t.Fatalf("%s:\n%s\n%s", x, got, want)
		}
		if form(t, x) != form(t, y) && form(t, x+" - "+y) == form(t, y+" - "+x) {
			t.Fatalf("%s - %s has the form of its reverse", x, y)
		}
	})
}

// The hand-written parser makes the trees of the generated one.
func TestParsersAgree(t *testing.T) {
	generated := newParser()
	rapid.Check(t, func(t *rapid.T) {
		e := drawTwin(t, rapid.SampledFrom([]valueType{boolType, intType, textType}).Draw(t, "type"), 4).ours
		a, errs := celParser.Parse(common.NewTextSource(e))
		if len(errs.GetErrors()) > 0 {
			t.Fatal(e, errs.ToDisplayString())
		}
		b, errs := generated.Parse(common.NewTextSource(e))
		if len(errs.GetErrors()) > 0 {
			t.Fatal(e, errs.ToDisplayString())
		}
		if got, want := shape(a.Expr()), shape(b.Expr()); got != want {
			t.Fatalf("%s\n%s\n%s", e, got, want)
		}
	})
}

// shape writes a tree of cel-go's.
func shape(e ast.Expr) string {
	switch e.Kind() {
	case ast.LiteralKind:
		return fmt.Sprintf("%T %v", e.AsLiteral().Value(), e.AsLiteral().Value())
	case ast.IdentKind:
		return e.AsIdent()
	case ast.CallKind:
		parts := []string{e.AsCall().FunctionName()}
		for _, a := range e.AsCall().Args() {
			parts = append(parts, shape(a))
		}
		return "(" + strings.Join(parts, " ") + ")"
	case ast.ListKind:
		parts := []string{"list"}
		for _, a := range e.AsList().Elements() {
			parts = append(parts, shape(a))
		}
		return "(" + strings.Join(parts, " ") + ")"
	default:
		return "?"
	}
}
