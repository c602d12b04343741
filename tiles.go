package fstore

import (
	"cmp"
	"slices"
	"strings"
)

// Sawtooth reports whether the view's windows end at the clock of a request. They do where no schedule says at which
// publications they end.
func (v *View) Sawtooth() bool { return v.Windowed() && v.Publish == nil }

// TileGroup is the features of a sawtooth view that one column of its records holds: those with the same window over the rows
// that pass the same condition, by name.
type TileGroup struct {
	Name     string // their names, joined by +
	Features []Feature
}

// TileGroups returns the groups of a sawtooth view, by name.
func (v *View) TileGroups() []TileGroup {
	var out []TileGroup
	for _, f := range v.ByName() {
		at := slices.IndexFunc(out, func(g TileGroup) bool { return sameTiles(g.Features[0].Window, f.Window) })
		if at < 0 {
			out = append(out, TileGroup{Name: f.Name, Features: []Feature{f}})
			continue
		}
		out[at].Name += "+" + f.Name
		out[at].Features = append(out[at].Features, f)
	}
	slices.SortFunc(out, func(a, b TileGroup) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func sameTiles(a, b *Window) bool {
	return a.Length == b.Length && a.Hop == b.Hop && a.Where == b.Where
}

// ByName returns the features in the order of their names.
func (v *View) ByName() []Feature {
	out := slices.Clone(v.Features)
	slices.SortFunc(out, func(a, b Feature) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Record returns what records and as-of batches hold, in their order: the features by name, or the groups of a sawtooth
// view. A group is bytes, which package window writes and reads.
func (v *View) Record() []Feature {
	if !v.Sawtooth() {
		return v.ByName()
	}
	var out []Feature
	for _, g := range v.TileGroups() {
		out = append(out, Feature{Name: g.Name, Type: Bytes})
	}
	return out
}
