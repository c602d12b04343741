package ondemand

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// Every form of every operator and function has, in random rows, the values of cel-go or of the plain rules, and is not always
// null.
func TestEveryFunctionAgreesWithAnOracle(t *testing.T) {
	env, seen := celEnv(t), map[string]bool{}
	started, finished := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if started == 12 && started == finished { // they are enough, unless one failed and is made smaller
			return
		}
		started++
		for _, typ := range slices.Sorted(maps.Keys(rulesFor)) {
			for _, r := range rulesFor[typ] {
				e := r.draw(t, 1)
				if values, _ := compareWithCel(t, env, typ, e, 3); values > 0 {
					record(t, seen, Feature{Name: "f", Type: columnType(typ), Expression: e.ours})
				}
			}
		}
		for _, p := range plains() {
			if comparePlain(t, p, 6) {
				record(t, seen, Feature{Name: "f", Type: p.typ, Expression: p.text})
			}
		}
		finished++
	})
	for _, f := range functions() {
		forms := []string{f.name}
		if f.forms != nil {
			forms = nil
		}
		for _, form := range f.forms {
			forms = append(forms, form.String())
		}
		for _, form := range forms {
			if !seen[form] {
				t.Errorf("no oracle has a value of %s", form)
			}
		}
	}
}

// comparePlain reports whether the expression had a value in one of some random rows.
func comparePlain(t *rapid.T, p plain, rows int) (values bool) {
	columns, want := map[string]*fstore.Column{}, make([]any, rows)
	for i := range want {
		r := row(drawRow(t))
		if rapid.IntRange(0, 2).Draw(t, "nulls") == 0 {
			for _, typ := range slices.Sorted(maps.Keys(variables)) {
				for _, name := range variables[typ] {
					if rapid.IntRange(0, 3).Draw(t, name+" is null") == 0 {
						r[name] = nil
					}
				}
			}
		}
		appendRow(columns, r)
		if p.nulls || !anyNull(p.text, r) {
			want[i] = p.value(r)
		}
	}
	got := evalColumns(t, Feature{Name: "f", Type: p.typ, Expression: p.text}, columns, rows).Columns[0]
	for i, w := range want {
		if g := got.Value(i); !agrees(g, w) {
			t.Fatalf("%s\nrow %d: got %v, want %v", p.text, i, g, w)
		}
		values = values || want[i] != nil
	}
	return values
}

// anyNull reports whether a variable that the expression reads is null.
func anyNull(text string, r row) bool {
	words := strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && c != '_' })
	return slices.ContainsFunc(words, func(w string) bool { v, ok := r[w]; return ok && v == nil })
}

func agrees(got, want any) bool {
	switch w := want.(type) {
	case nil:
		return got == nil
	case either:
		return got != nil && w(got)
	case about:
		g, ok := got.(float64)
		return ok && (sameValue(g, float64(w)) || math.Abs(g-float64(w)) <= 1e-12*math.Abs(float64(w)) || math.Abs(g-float64(w)) < 1e-300)
	}
	return got != nil && sameValue(got, want)
}

// record notes the forms that a feature uses.
func record(t *rapid.T, seen map[string]bool, f Feature) {
	env := Env{}
	for typ, names := range variables {
		for _, name := range names {
			env.Columns = append(env.Columns, Column{name, columnType(typ)})
		}
	}
	p, problems := Compile(env, []Feature{f})
	if problems != nil {
		t.Fatal(problems)
	}
	p.roots[0].record(seen)
	for _, name := range []string{"if_null", "duration"} { // are other nodes once they are checked
		seen[name] = seen[name] || strings.Contains(f.Expression, name+"(")
	}
}

func (n *node) record(seen map[string]bool) {
	for _, a := range n.args {
		a.record(seen)
	}
	f := table[n.name]
	if f == nil {
		return
	}
	seen[f.name] = true
	for _, form := range f.forms {
		if form.takes(n.args, true) {
			seen[form.String()] = true
		}
	}
}
