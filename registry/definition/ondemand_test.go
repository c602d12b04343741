package definition_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

func onDemandRepo(yaml string) *txtar.Archive {
	return &txtar.Archive{Files: []txtar.File{{Name: "d.yaml", Data: []byte(yaml)}}}
}

// One view with ten thousand request columns and features, each over all kinds of names, compiles.
func TestTenThousandComputedFeatures(t *testing.T) {
	const n = 10_000
	var b strings.Builder
	b.WriteString("kind: on_demand_view\nname: wide\nrequest:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: c%d, type: int64}\n", i)
	}
	b.WriteString("features:\n  - {name: f0, type: int64, expression: c0}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - {name: f%d, type: int64, expression: c%d + f%d}\n", i, i, i-1)
	}
	d, err := check(t, onDemandRepo(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.OnDemand[0].View.Features); got != n {
		t.Errorf("%d features", got)
	}
}

// Thousands of on-demand views, each of which uses all features of the one before it.
func TestALongChainOfOnDemandViews(t *testing.T) {
	const n = 5_000
	var b strings.Builder
	b.WriteString("kind: on_demand_view\nname: v0\nfeatures: [{name: x, type: int64, expression: \"1\"}]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "---\nkind: on_demand_view\nname: v%d\nuses: [v%d.*]\nfeatures: [{name: x, type: int64, expression: v%d.x + 1}]\n", i, i-1, i-1)
	}
	fmt.Fprintf(&b, "---\nkind: feature_service\nname: s\nfeatures: [v%d.x]\n", n-1)
	d, err := check(t, onDemandRepo(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Services[0]; len(s.OnDemand) != n || s.OnDemand[0].Name != "v0" {
		t.Errorf("the service computes %d views, first %v", len(s.OnDemand), s.OnDemand[0])
	}
}

// Ten thousand uses, and ten thousand expressions with unknown names: suggestions end once a million names have been
// compared.
func TestTenThousandWrongExpressions(t *testing.T) {
	const n = 10_000
	var b strings.Builder
	b.WriteString("kind: on_demand_view\nname: base\nfeatures: [{name: x, type: int64, expression: \"1\"}]\n---\nkind: on_demand_view\nname: v\nuses:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {ref: base.x, as: role_%d}\n", i)
	}
	b.WriteString("features:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: f%d, type: int64, expression: rule_%d.x}\n", i, i)
	}
	_, err := check(t, onDemandRepo(b.String()))
	problems, _ := err.(definition.Problems)
	if len(problems) != n || problems[0].Hint != `did you mean "role_0.x"?` {
		t.Fatalf("%d problems, first %v", len(problems), problems[0])
	}
	suggested := 0
	for _, p := range problems {
		if strings.HasPrefix(p.Hint, "did you mean") {
			suggested++
		}
	}
	if most := 1_000_000/n + 1; suggested > most {
		t.Errorf("%d names are suggested, at most %d may be", suggested, most)
	}
}

// The features that uses name are bounded: view.* by many roles would be millions.
func TestUsesOfManyFeaturesByManyRoles(t *testing.T) {
	var b strings.Builder
	b.WriteString("kind: on_demand_view\nname: base\nfeatures:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  - {name: x%d, type: int64, expression: \"1\"}\n", i)
	}
	b.WriteString("---\nkind: on_demand_view\nname: v\nuses:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  - {ref: base.*, as: role_%d}\n", i)
	}
	b.WriteString("features: [{name: f, type: int64, expression: role_2.x7}]\n")
	got := report(check(t, onDemandRepo(b.String())))
	want := "d.yaml:3015:5: the uses name more than 20000 features\n\tname the features that the expressions read one by one, or split the view\n"
	if got != want {
		t.Errorf("got\n%.500s\nwant\n%s", got, want)
	}
}

// An expression that is too deep, too long or too costly is one problem of a few words, however YAML writes it.
func TestBombsInExpressions(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"brackets", strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000), "deep"},
		{"many brackets", strings.Repeat("(", 100_000), "more than 8192 characters"},
		{"a list", "[" + strings.Repeat("1, ", 2000) + "1][0]", "more than 1000 operators"},
		{"negations", strings.Repeat("!", 5000) + "true", ""},
		{"minus signs", strings.Repeat("- ", 4000) + "1", ""},
		{"conditions", strings.Repeat("true ? 1 : ", 700) + "1", ""},
		{"lists", strings.Repeat("[", 90) + strings.Repeat("]", 90), ""},
		{"a sum", "1" + strings.Repeat("+1", 3000), "deep"},
		{"text", "'" + strings.Repeat("é", 1<<20) + "'", "more than 8192 characters"},
		{"a pattern", "matches('x', '" + strings.Repeat("(a{9}){9}", 500) + "')", ""},
		{"calls", strings.Repeat("abs(", 800) + "1" + strings.Repeat(")", 800), "deep"},
	} {
		quoted := `"` + c.text + `"`
		for _, expression := range []string{quoted, "|\n    " + c.text, ">-\n    " + c.text} {
			yaml := "kind: on_demand_view\nname: v\nfeatures:\n- name: f\n  type: int64\n  expression: " + expression + "\n"
			_, err := check(t, onDemandRepo(yaml))
			problems, _ := err.(definition.Problems)
			if len(problems) != 1 || problems[0].Pos.Line < 6 || len(problems[0].String()) > 1000 || !strings.Contains(problems[0].Message, c.want) {
				t.Errorf("%s as %.3q: %.1000v", c.name, expression, err)
			}
		}
	}
}

// The fingerprint of an on-demand view says nothing of where the view is written.
func TestOnDemandFingerprintsHoldInAnyFile(t *testing.T) {
	yaml := "kind: on_demand_view\nname: clock\nfeatures: [{name: hour, type: int64, expression: hour(at)}]\n"
	var prints []string
	for _, name := range []string{"a.yaml", "b/c.yml"} {
		d, err := check(t, &txtar.Archive{Files: []txtar.File{{Name: name, Data: []byte(yaml)}}})
		if err != nil {
			t.Fatal(err)
		}
		prints = append(prints, d.OnDemand[0].Fingerprint)
	}
	if prints[0] != prints[1] || len(prints[0]) != 64 {
		t.Error(prints)
	}
}

// The example of the page is checked, over the tables that it reads.
func TestTheExampleOfAnOnDemandView(t *testing.T) {
	page, err := os.ReadFile("../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## on_demand_view\n")
	_, example, _ := strings.Cut(section, "```yaml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	archive := txtar.Parse([]byte(`
-- views.yaml --
kind: entity
name: customer
join_keys: [{name: customer_id, type: int64}]
---
kind: entity
name: store
join_keys: [{name: store_id, type: int64}]
---
kind: entity
name: airport
join_keys: [{name: airport, type: string}]
---
kind: source
name: stores
path: stores.parquet
---
kind: source
name: orders
path: orders.parquet
event_timestamp: ts
---
kind: feature_view
name: store_location
entities: [store]
source: stores
features: [{name: lat, type: float64}, {name: lon, type: float64}]
---
kind: feature_view
name: customer_orders
entities: [customer]
source: orders
features: [{name: order_value, type: float64}]
---
kind: feature_view
name: airport_weather
entities: [airport]
source: orders
features: [{name: temperature, type: float64, column: order_value}]
-- tables --
stores.parquet: store_id BIGINT; lat DOUBLE; lon DOUBLE
orders.parquet: customer_id BIGINT; airport VARCHAR; ts TIMESTAMP; order_value DOUBLE
`))
	archive.Files = append(archive.Files, txtar.File{Name: "trip.yaml", Data: []byte(example)})
	d, err := check(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.OnDemand) != 1 || len(d.Services) != 1 || len(d.Warnings) > 0 {
		t.Errorf("got\n%s", report(d, nil))
	}
}

// A stored version whose definition, or that of a version beneath, is another one does not match its fingerprint.
func TestFirstOnDemandMismatch(t *testing.T) {
	d, err := check(t, onDemandRepo(`kind: on_demand_view
name: base
request: [{name: price, type: float64}]
features: [{name: x, type: float64, expression: price * 2}]
---
kind: on_demand_view
name: more
uses: [base.x]
features: [{name: y, type: float64, expression: base.x + 1}]
`))
	if err != nil {
		t.Fatal(err)
	}
	base, more := &d.OnDemand[0], &d.OnDemand[1]
	in := definition.Versions{
		View: func(fstore.ViewRef) *fstore.ViewVersion { return nil },
		OnDemand: func(ref fstore.ViewRef) *fstore.OnDemandVersion {
			return map[string]*fstore.OnDemandVersion{"base": base, "more": more}[ref.Name]
		},
	}
	first := func() *fstore.OnDemandVersion {
		v, err := definition.FirstOnDemandMismatch([]*fstore.OnDemandVersion{base, more}, in)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := first(); v != nil {
		t.Errorf("%s does not match", v.Ref)
	}
	base.Fingerprint, base.View.Features[0].Expression = more.Fingerprint, "price*2"
	if v := first(); v != base {
		t.Errorf("%v does not match, want base", v)
	}
	more.Inputs[0].Ref.Name = "gone"
	if _, err := definition.FirstOnDemandMismatch([]*fstore.OnDemandVersion{more}, in); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("a version that is not there: %v", err)
	}
}
