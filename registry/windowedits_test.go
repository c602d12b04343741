package registry_test

import "testing"

const windowedView = `---
kind: feature_view
name: activity
entities: [customer]
source: lines
publish: {every: 1d}
aggregations:
  - {name: spend, function: sum, expression: quantity * unit_price, type: float64, windows: [7d], where: quantity > 0, hop: 1h}
  - {name: p, function: percentile, p: 0.5, expression: unit_price, type: float64, windows: [7d]}
  - {name: recent, function: last_n, n: 3, expression: invoice_no, type: list<string>, windows: [7d]}
---
kind: feature_service
name: churn`

// Whatever can change a windowed value makes a new version, and nothing else does.
func TestEditsOfWindows(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  int
	}{
		{"nothing", nil, 1},
		{"layout of an expression", []string{"expression: quantity * unit_price", "expression: Quantity*unit_price"}, 1},
		{"layout of a condition", []string{"where: quantity > 0", "where: (quantity>0)"}, 1},
		{"a description", []string{"hop: 1h}", "hop: 1h, description: In pounds}"}, 1},
		{"the source by another name", []string{"kind: source\nname: lines", "kind: source\nname: rows", "source: lines", "source: rows", "from lines", "from rows"}, 1},
		{"an expression", []string{"expression: quantity * unit_price", "expression: quantity * unit_price * 2"}, 2},
		{"a condition", []string{"where: quantity > 0", "where: quantity >= 0"}, 2},
		{"a function", []string{"function: sum", "function: mean"}, 2},
		{"a window", []string{"windows: [7d], where", "windows: [8d], where"}, 2},
		{"a window more", []string{"windows: [7d], where", "windows: [7d, lifetime], where"}, 2},
		{"a hop", []string{"hop: 1h", "hop: 2h"}, 2},
		{"p", []string{"p: 0.5", "p: 0.6"}, 2},
		{"n", []string{"n: 3", "n: 4"}, 2},
		{"a default", []string{"hop: 1h}", "hop: 1h, default: 0}"}, 2},
		{"publish", []string{"source: lines\npublish: {every: 1d}", "source: lines\npublish: {every: 2d}"}, 2},
		{"a rename of a column that an expression reads", []string{"{CustomerID: customer_id}", "{CustomerID: customer_id, amount: quantity}", "quantity BIGINT", "amount BIGINT"}, 2},
		{"a column that files may lack", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\noptional_columns: [quantity]"}, 2},
		{"the path", []string{"${DATA:-data}/lines", "${DATA:-other}/lines"}, 2},
		{"availability of the source", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\navailability: event + 1h"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) { editedVersion(t, windowedView, c.edits, c.want) })
	}
}

const sawtoothView = `---
kind: feature_view
name: activity
entities: [customer]
source: lines
aggregations:
  - {name: spend, function: sum, expression: quantity * unit_price, type: float64, windows: [7d, lifetime]}
---
kind: feature_service
name: churn`

// The hop in which windows without publish move is part of their version, whether stated or not.
func TestEditsOfHops(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  int
	}{
		{"nothing", nil, 1},
		{"a hop", []string{"lifetime]", "lifetime], hop: 12h"}, 2},
		{"the default hop, stated", []string{"lifetime]", "lifetime], hop: 6h"}, 1},
		{"publish", []string{"source: lines\naggregations", "source: lines\npublish: {every: 1d}\naggregations"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) { editedVersion(t, sawtoothView, c.edits, c.want) })
	}
}

// editedVersion checks which version of the view activity a plan makes of edits.
func editedVersion(t *testing.T, view string, edits []string, want int) {
	with := []string{"---\nkind: feature_service\nname: churn", view}
	db := open(t)
	apply(t, db, shop(t, with...))
	version := 1
	for _, change := range plan(t, db, shop(t, append(with, edits...)...)).Changes {
		if change.Name == "activity" {
			version = change.To
		}
	}
	if version != want {
		t.Errorf("version %d, want %d", version, want)
	}
}
