package online

import (
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// The records of a view whose windows move with the clock have bytes of their own in testdata.
func TestBytesOfTiles(t *testing.T) {
	hour := fstore.Duration(time.Hour)
	v := goldenVersion()
	v.View.Features = nil
	for _, f := range []struct {
		name   string
		of     fstore.Function
		typ    fstore.Type
		length fstore.Duration
	}{
		{"n_1d", fstore.Count, fstore.Int64, 24 * hour},
		{"last_1d", fstore.Last, fstore.String, 24 * hour},
		{"sum_ever", fstore.Sum, fstore.Float64, 0},
		{"sum_7d", fstore.Sum, fstore.Float64, 7 * 24 * hour},
	} {
		w := &fstore.Window{Function: f.of, Expression: "x", Length: f.length, Hop: window.DefaultHop(f.length)}
		v.View.Features = append(v.View.Features, fstore.Feature{Name: f.name, Type: f.typ, Window: w})
	}
	batch := goldenBatch(t)
	batch.Columns = batch.Columns[:3]
	for _, g := range v.View.TileGroups() {
		c := fstore.NewColumn(g.Name, fstore.Bytes, batch.Len)
		for row := range batch.Len {
			if row == 1 {
				c.AppendNull()
				continue
			}
			c.Append(goldenTiles(t, g))
		}
		batch.Columns = append(batch.Columns, c)
	}
	const path = "testdata/tiles2.txt"
	encodesAs(t, path, encoded(t, v, batch))
	decodesAs(t, path, fstore.RecordLayout, v, batch)
}

// goldenTiles returns the bytes of two tiles, of a lifetime one.
func goldenTiles(t *testing.T, g fstore.TileGroup) []byte {
	t.Helper()
	s := &window.Suffixes{Tiles: []int64{-1, 5}}
	if g.Features[0].Window.Length == 0 {
		s.Tiles = []int64{0}
	}
	for _, f := range g.Features {
		c := fstore.NewColumn(f.Name, f.Type, 2)
		for i := range s.Tiles {
			c.Append(map[fstore.Type]any{fstore.Int64: int64(7 - i), fstore.String: "naïve", fstore.Float64: 0.5 * float64(i)}[f.Type])
		}
		s.Values = append(s.Values, c)
	}
	b, err := window.NewTiles(g.Features).Append(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
