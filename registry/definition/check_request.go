package definition

import (
	"maps"

	"github.com/fstore-dev/fstore"
)

// mapRequest reads the names under which callers of a service send request columns.
func (b *serviceBuilder) mapRequest(mapping []Pair) {
	for _, p := range mapping {
		if b.c.name(p.Value) {
			b.sent[p.Key.Value] = p.Value
		}
	}
}

// requestColumn adds a request column of an on-demand view under the name by which callers send it. at is the reference
// that needs it.
func (b *serviceBuilder) requestColumn(at Text, o *onDemandView, col fstore.RequestColumn) {
	name := col.Name
	if sent, ok := b.sent[name]; ok && sent.Value != name {
		if b.out.Service.Request == nil {
			b.out.Service.Request = map[string]string{}
		}
		b.out.Service.Request[name] = sent.Value
		name, at = sent.Value, sent
	}
	is := labelColumn{typ: col.Type, of: o.def.View.Name, request: true}
	have, seen := b.columns[name]
	if seen && have.typ != is.typ && have.typ != fstore.Invalid && is.typ != fstore.Invalid {
		b.c.problems.add(at.Pos, "callers send one column of a name: give both one type, or one another name", "column %s is %s and %s", name, have.typed(), is.typed())
		return
	}
	if !seen {
		b.columns[name] = is
	}
}

// unusedRequest reports mappings of columns that no on-demand view of the service has.
func (b *serviceBuilder) unusedRequest(mapping []Pair) {
	known := map[string]bool{}
	for _, ref := range b.out.OnDemand {
		for _, col := range b.c.onDemand[ref.Name].def.View.Request {
			known[col.Name] = true
		}
	}
	for _, p := range mapping {
		if !known[p.Key.Value] {
			b.c.problems.add(p.Key.Pos, b.c.suggest(p.Key.Value, maps.Keys(known)), "no on-demand view of the service has a request column %q", p.Key.Value)
		}
	}
}
