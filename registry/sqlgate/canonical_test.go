package sqlgate_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// Which texts are the same query.
func TestSameQuery(t *testing.T) {
	e := newEngine(t)
	canonical := func(text string) string {
		tree, err := e.ParseSQL(context.Background(), text)
		if err != nil {
			t.Fatal(err)
		}
		return sqlgate.Canonical(tree)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"select a from t", "SELECT  A\nFROM T -- x", true},
		{"select a as x from t as q", "select a X from t Q", true},
		{"select a from t", `select "a" from "T"`, true},
		{"select 'a' from t", "select 'A' from t", false},
		{"select a from t", "select b from t", false},
		{"select a as x from t", "select a as y from t", false},
		{"select a::int from t", "select cast(a as integer) from t", true},
		{"select 1 from t", "select 1.0 from t", false},
		{"select x like 'A%' from t", "select x LIKE 'a%' from t", false},
		{"select {'a': x} from t", "select {'A': x} from t", false},
		{"select to_json(s) from t", "select to_json(S) from t", false},
		{"select t::varchar as x from t", "select T::varchar as x from t", false},
		{"select columns('a.*') from t", "select columns('A.*') from t", false},
		{"select sum(a) over (order by b) from t", "select sum(a) over w from t window w as (order by b)", true},
		{"from t", "select * from t", true},
		{`select "Ä" from t`, `select "ä" from t`, false}, // the engine ignores the case of ASCII letters only
		{"select union_tag(union_value(A := x)) from t", "select union_tag(union_value(a := x)) from t", false},
		{"select union_tag(x::union(A int)) from t", "select union_tag(x::union(a int)) from t", false},
		{"select try_cast(s as enum('a')) from t", "select try_cast(s as enum('A')) from t", false},
		{"select a from t where x in (1, 2)", "select a from t where x in (2, 1)", false},
	} {
		if got := canonical(c.a) == canonical(c.b); got != c.same {
			t.Errorf("%q and %q: the same is %v, want %v", c.a, c.b, got, c.same)
		}
	}
}
