package verify

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// maxAlso is how many features of a key are named beside the first that differs.
const maxAlso = 20

// differs returns how two rows differ in the columns after the keys, or nil.
func (c *comparison) differs(want *fstore.Batch, i int, got *fstore.Batch, j int) *Difference {
	var all []Difference
	keys := len(c.v.View.Keys)
	for n := keys; n < len(want.Columns); n++ {
		w, g := &want.Columns[n], &got.Columns[n]
		switch {
		case equal(w, i, g, j):
		case n > keys && c.tiles != nil:
			all = append(all, c.tiles[n-keys-1].differences(w, i, g, j)...)
		default:
			all = append(all, difference(w, i, g, j))
		}
	}
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	for _, d := range all {
		if d.Kind == Undecodable {
			return &d
		}
		if d.Feature != first.Feature && len(first.Also) < maxAlso {
			first.Also = append(first.Also, d.Feature)
		}
	}
	return &first
}

func difference(w *fstore.Column, i int, g *fstore.Column, j int) Difference {
	return Difference{Kind: Differing, Feature: w.Name, Offline: string(w.AppendJSON(nil, i)), Online: string(g.AppendJSON(nil, j))}
}

// tiles reads a group of features of a sawtooth view.
type tiles struct {
	*window.Tiles
	group fstore.TileGroup
}

func tilesOf(v *fstore.View) (all []tiles) {
	if !v.Sawtooth() {
		return nil
	}
	for _, g := range v.TileGroups() {
		all = append(all, tiles{window.NewTiles(g.Features), g})
	}
	return all
}

// differences returns the features that differ in tiles whose bytes do, each with the values of the oldest window that shows it.
// Where only the tiles themselves differ, it is the group.
func (t *tiles) differences(w *fstore.Column, i int, g *fstore.Column, j int) (all []Difference) {
	want, err := t.read(w, i)
	if err != nil {
		return []Difference{{Kind: Undecodable, Feature: t.group.Name, Detail: "computed offline: " + err.Error()}}
	}
	got, err := t.read(g, j)
	if err != nil {
		return []Difference{{Kind: Undecodable, Feature: t.group.Name, Detail: err.Error()}}
	}
	starts := append(slices.Clone(want.Tiles), got.Tiles...)
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for f := range t.group.Features {
		for _, start := range starts {
			a, b := valueFrom(want, f, start), valueFrom(got, f, start)
			if equal(a, 0, b, 0) {
				continue
			}
			d := difference(a, 0, b, 0)
			if !t.Span.Lifetime() {
				d.Detail = "in a window that starts at " + fstore.FormatTime(fstore.FromMicros(start*t.Span.Hop))
			}
			all = append(all, d)
			break
		}
	}
	if all == nil {
		all = []Difference{{Kind: Differing, Feature: t.group.Name, Offline: fmt.Sprint(want.Tiles), Online: fmt.Sprint(got.Tiles), Detail: "the tiles differ, and no value"}}
	}
	return all
}

// read decodes a row of a column of tiles.
func (t *tiles) read(c *fstore.Column, row int) (*window.Suffixes, error) {
	if c.IsNull(row) {
		none := &window.Suffixes{}
		for _, f := range t.group.Features {
			none.Values = append(none.Values, fstore.NewColumn(f.Name, f.Type, 0))
		}
		return none, nil
	}
	return t.Decode(c.Bytes[row])
}

// valueFrom returns the value of a feature in a window that starts with a tile, as a column of one row.
func valueFrom(s *window.Suffixes, feature int, start int64) *fstore.Column {
	all := &s.Values[feature]
	one := fstore.NewColumn(all.Name, all.Type, 1)
	if at, _ := slices.BinarySearch(s.Tiles, start); at < len(s.Tiles) {
		one.AppendFrom(all, at)
	} else {
		one.AppendNull()
	}
	return &one
}

// equal compares an element of each column as the types have it: a null is only a null, a NaN a NaN, −0 is 0.
func equal(a *fstore.Column, i int, b *fstore.Column, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	if a.Type != b.Type {
		return false
	}
	if !a.Type.IsList() {
		return fstore.CompareElements(a, i, b, j) == 0
	}
	from, n := int(a.Offsets[i]), int(a.Offsets[i+1]-a.Offsets[i])
	other := int(b.Offsets[j])
	if n != int(b.Offsets[j+1])-other {
		return false
	}
	for k := range n {
		if fstore.CompareElements(a, from+k, b, other+k) != 0 {
			return false
		}
	}
	return true
}
