package definition

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// FieldChange is one field in which two definitions differ.
type FieldChange struct {
	Field  string `json:"field"`         // for example features.order_value.type
	Old    string `json:"old,omitempty"` // empty if the field was added
	New    string `json:"new,omitempty"`
	Counts bool   `json:"counts"`        // it can change a value, so it makes a new version
	Why    string `json:"why,omitempty"` // why it counts, or why it does not
}

// CompareVersions lists the fields in which two versions of a view differ, as a plan shows them. Either may be nil.
func CompareVersions(ctx context.Context, parser sqlgate.Parser, old, now *fstore.ViewVersion) []FieldChange {
	return NewFingerprinter(parser).Compare(ctx, ViewFields(old), ViewFields(now))
}

// Compare lists the fields that differ in the order of the new definition, and then the fields that were removed.
func (p *Fingerprinter) Compare(ctx context.Context, was, is Fields) []FieldChange {
	var out []FieldChange
	before, after := was.byPath(), is.byPath()
	for _, now := range is {
		i, both := before[now.path]
		switch {
		case !both:
			out = append(out, FieldChange{now.path, "", now.value, now.counts, cmp.Or(now.added, now.why)})
		case was[i].value != now.value:
			c := FieldChange{now.path, was[i].value, now.value, now.counts, now.why}
			switch {
			case now.as == asMeaning && was[i].meaning == now.meaning:
				c.Counts, c.Why = false, "only layout, comments or names in uses differ"
			case now.as == asOrder && !sameNames(c.Old, c.New):
				continue
			case now.as == asSQL && p.sameSQL(ctx, c.Old, c.New),
				now.as == asExpression && p.sameSQL(ctx, sqlgate.ExpressionQuery(c.Old), sqlgate.ExpressionQuery(c.New)):
				c.Counts, c.Why = false, "only layout, comments or letter case differ"
			}
			out = append(out, c)
		}
	}
	for _, old := range was {
		if _, both := after[old.path]; !both {
			out = append(out, FieldChange{old.path, old.value, "", old.counts, cmp.Or(old.gone, old.why)})
		}
	}
	return out
}

// byPath returns the index of the first field of each path.
func (l Fields) byPath() map[string]int {
	out := make(map[string]int, len(l))
	for i, f := range slices.Backward(l) {
		out[f.path] = i
	}
	return out
}

// sameNames reports whether two lists hold the same names, in any order.
func sameNames(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// sameSQL reports whether two texts are the same query.
func (p *Fingerprinter) sameSQL(ctx context.Context, a, b string) bool {
	x, err := p.gate.Parse(ctx, a)
	if err != nil {
		return false
	}
	y, err := p.gate.Parse(ctx, b)
	return err == nil && reflect.DeepEqual(x.Canonical(), y.Canonical())
}
