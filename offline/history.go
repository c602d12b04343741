package offline

import (
	"fmt"
	"strings"
)

// readers says how many queries read rows.
type readers int

const (
	severalQueries readers = iota
	oneQuery               // the rows of SQL are computed when it runs, and not kept
)

// keys returns k0, k1… of the history.
func (r *rows) keys() []string {
	out := make([]string, 0, len(r.view.Keys))
	for i := range r.view.Keys {
		out = append(out, fmt.Sprintf("k%d", i))
	}
	return out
}

// newestFirst returns the order that puts the row that counts first, of rows of one key: the greatest event and
// created, then a total order over all features, whichever are asked for. Nulls are lowest and NaN is highest.
func (r *rows) newestFirst() string {
	order := []string{"event DESC", "created DESC"}
	for i := range r.record {
		order = append(order, fmt.Sprintf("f%d DESC NULLS LAST", i))
	}
	return strings.Join(order, ", ")
}

// visibleSQL returns the instant from which a row is visible, which is never before its event.
func (r *rows) visibleSQL() string {
	if r.view.Available.Created {
		return "greatest(event, created)"
	}
	return available("event", "created", r.view.Available)
}

// hasKey returns the conditions that no part of the key is null. A key with a null part matches nothing.
func (r *rows) hasKey() []string {
	out := make([]string, 0, len(r.view.Keys))
	for _, k := range r.keys() {
		out = append(out, k+" IS NOT NULL")
	}
	return out
}

// position returns where a feature is in the history's f0, f1…
func (r *rows) position(feature string) int {
	for i, f := range r.record {
		if f.Name == feature {
			return i
		}
	}
	panic("offline: view " + r.ref.String() + " has no feature " + feature)
}

// partitionBy returns a PARTITION BY clause of columns, empty where there are none.
func partitionBy(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "PARTITION BY " + strings.Join(columns, ", ") + " "
}
