package window

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// Recorder makes the records of a view without a schedule: a Sweep that gives, for each group of features, its suffix values
// at an instant.
type Recorder struct {
	*Sweep
	groups []recorded
}

// recorded is a group of features whose suffix values a Recorder makes.
type recorded struct {
	tiles    *Tiles
	suffixes Suffixes
	features []int // of the sweep
	series   []series
	bytes    []byte
}

// NewRecorder returns a recorder of groups. all is what SeriesOf returns for their features, with every type chosen.
func NewRecorder(groups []fstore.TileGroup, all []Series) *Recorder {
	var features []fstore.Feature
	for _, g := range groups {
		features = append(features, g.Features...)
	}
	r := &Recorder{Sweep: NewSweep(features, all)}
	n := 0
	for _, g := range groups {
		to := recorded{tiles: NewTiles(g.Features)}
		for range g.Features {
			to.features = append(to.features, n)
			if s := r.series[r.of[n]]; !slices.Contains(to.series, s) {
				to.series = append(to.series, s)
			}
			n++
		}
		r.groups = append(r.groups, to)
	}
	return r
}

// Newest returns the newest event of the key's rows, of which there is at least one.
func (r *Recorder) Newest() int64 { return r.newest }

// Record appends the tiles of each group to its column: what look-ups at p and later need, given the rows that have entered.
// They are null if no row passes. After it, the recorder is good for another key only.
//
// Tiles that have left the window stay until it starts a new quarter, so that a record keeps its bytes for a while.
func (r *Recorder) Record(p int64, out []fstore.Column) error {
	for i := range r.groups {
		g := &r.groups[i]
		if err := r.collect(g, p); err != nil {
			return err
		}
		if len(g.suffixes.Tiles) == 0 {
			out[i].AppendNull()
			continue
		}
		var err error
		if g.bytes, err = g.tiles.Append(g.bytes[:0], &g.suffixes); err != nil {
			return fmt.Errorf("features %s: %w", r.names(g), err)
		}
		out[i].Append(slices.Clone(g.bytes))
	}
	return nil
}

// collect makes the suffix values of a group.
func (r *Recorder) collect(g *recorded, p int64) error {
	g.clear()
	span := g.tiles.Span
	if span.Lifetime() {
		if _, ok := g.series[0].oldest(span); !ok {
			return nil
		}
		return r.suffix(g, 0)
	}
	first := span.First(p)
	for _, s := range g.series {
		s.leave(span, span.kept(p))
	}
	for event, ok := g.series[0].oldest(span); ok; event, ok = g.series[0].oldest(span) {
		tile := Tile(event, span.Hop)
		for _, s := range g.series {
			s.leave(span, scale(tile, span.Hop))
		}
		if err := r.suffix(g, tile); err != nil {
			if tile >= first {
				return err
			}
			g.clear() // no look-up at p or later needs it
		}
		for _, s := range g.series {
			s.leave(span, scale(tile+1, span.Hop))
		}
	}
	return nil
}

func (g *recorded) clear() {
	g.suffixes.Tiles, g.suffixes.Values = g.suffixes.Tiles[:0], g.suffixes.Values[:0]
	for _, f := range g.tiles.features {
		g.suffixes.Values = append(g.suffixes.Values, fstore.NewColumn(f.Name, f.Type, 0))
	}
}

// suffix appends the values over the rows that are left, whose oldest is in a tile.
func (r *Recorder) suffix(g *recorded, tile int64) error {
	g.suffixes.Tiles = append(g.suffixes.Tiles, tile)
	for i, f := range g.features {
		if err := r.output[f](&g.suffixes.Values[i]); err != nil {
			oldest, _ := g.series[0].oldest(g.tiles.Span)
			return fmt.Errorf("feature %s, over the rows from %s to %s: %w", r.features[f].Name,
				fstore.FormatTime(fstore.FromMicros(oldest)), fstore.FormatTime(fstore.FromMicros(r.newest)), err)
		}
	}
	return nil
}

func (r *Recorder) names(g *recorded) (names []string) {
	for _, f := range g.features {
		names = append(names, r.features[f].Name)
	}
	return names
}

// kept returns the instant after which a Recorder keeps events at an instant.
func (s Span) kept(t int64) int64 {
	if s.Lifetime() {
		return s.Start(t)
	}
	return scale(s.quarter(s.First(t)), s.Hop)
}

// quarter returns the first tile of the quarter of the window in which a tile is, on a grid that is the same for all windows
// of this form. A quarter is rounded up to whole tiles.
func (s Span) quarter(tile int64) int64 {
	tiles := ceil(ceil(s.Length, 4), s.Hop)
	return scale(floor(tile, tiles), tiles)
}
