package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// A Node names a definition in a lineage.
type Node struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
}

// An Edge says that a definition reads or uses another one itself.
type Edge struct {
	From Node `json:"from"` // what is read
	To   Node `json:"to"`   // what reads it
}

// lineage returns the edges around what changes, before or after it: what the changed definitions read, and everything
// that reads them, directly or through others. An entity is left out unless it changes.
func lineage(changes []Change, before, after *state) []Edge {
	changed, affected := map[Node]bool{}, map[Node]bool{}
	for _, c := range changes {
		changed[Node{c.Kind, c.Name}] = true
	}
	edges := map[Edge]bool{}
	before.addEdges(edges)
	after.addEdges(edges)
	readers := map[Node][]Node{}
	for e := range edges {
		readers[e.From] = append(readers[e.From], e.To)
	}
	for next := slices.Collect(maps.Keys(changed)); len(next) > 0; next = next[1:] {
		if !affected[next[0]] {
			affected[next[0]] = true
			next = append(next, readers[next[0]]...)
		}
	}
	var out []Edge
	for e := range edges {
		if affected[e.From] || changed[e.To] && e.From.Kind != KindEntity {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Edge) int { return cmp.Or(a.From.compare(b.From), a.To.compare(b.To)) })
	return out
}

// compare orders nodes by kind and name.
func (n Node) compare(o Node) int {
	return cmp.Or(cmp.Compare(n.Kind, o.Kind), cmp.Compare(n.Name, o.Name))
}

// addEdges adds the edges between the definitions of head.
func (s *state) addEdges(edges map[Edge]bool) {
	for name, v := range s.headViews {
		to := Node{KindView, name}
		for _, entity := range v.View.Entities {
			edges[Edge{Node{KindEntity, entity}, to}] = true
		}
		for _, input := range v.View.Inputs {
			from := Node{KindView, input}
			if v.Source(input) != nil {
				from.Kind = KindSource
			}
			edges[Edge{from, to}] = true
		}
	}
	for name, v := range s.headOnDemand {
		for _, in := range v.Inputs {
			from := Node{KindView, in.Ref.Name}
			if in.OnDemand {
				from.Kind = KindOnDemand
			}
			edges[Edge{from, Node{KindOnDemand, name}}] = true
		}
	}
	for name, v := range s.headServices {
		for _, f := range v.Service.Features {
			view, _, _ := strings.Cut(f.View, "@")
			from := Node{KindView, view}
			if slices.ContainsFunc(v.OnDemand, func(ref fstore.ViewRef) bool { return ref.Name == view }) {
				from.Kind = KindOnDemand
			}
			edges[Edge{from, Node{KindService, name}}] = true
		}
	}
}
