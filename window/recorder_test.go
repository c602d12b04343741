package window

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// ofView returns the groups of a view of features, and for each group where its features are in the view's.
func ofView(features []fstore.Feature) (groups []fstore.TileGroup, at [][]int) {
	v := fstore.View{Features: features}
	for _, g := range v.TileGroups() {
		var in []int
		for _, f := range g.Features {
			for i := range features {
				if features[i].Name == f.Name {
					in = append(in, i)
				}
			}
		}
		groups, at = append(groups, g), append(at, in)
	}
	return groups, at
}

// recordOf returns what a recorder makes of the rows that are visible at p.
func recordOf(r *Recorder, rows []testRow, all []Series, p int64) ([]fstore.Column, error) {
	r.Reset()
	input := columnsOf(rows, all)
	for i := range rows {
		if max(rows[i].event, rows[i].available) <= p {
			r.Enter(input, i)
		}
	}
	out := make([]fstore.Column, len(r.groups))
	for i := range out {
		out[i] = fstore.NewColumn("", fstore.Bytes, 1)
	}
	return out, r.Record(p, out)
}

// valueAt reads a feature of a group from its bytes.
func valueAt(tb rapid.TB, tiles *Tiles, c *fstore.Column, feature int, t int64) any {
	tb.Helper()
	if c.IsNull(0) {
		return nil
	}
	entry, texts, err := tiles.Find(c.Bytes[0], tiles.Span.First(t))
	if err != nil {
		tb.Fatal(err)
	}
	if entry == nil {
		return nil
	}
	out := fstore.NewColumn("", tiles.Fields[feature].Type, 1)
	if err := tiles.Fields[feature].read(&out, entry, textsOf(texts)); err != nil {
		tb.Fatal(err)
	}
	return boxed(&out, 0)
}

// A record made at P gives what brute force gives at every T from P on. It keeps its bytes until a window starts a new quarter
// or a row becomes visible, whatever functions it holds.
func TestRecordsGiveWhatWindowsMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, all, of := drawFeatures(t, fstore.Functions())
		groups, at := ofView(features)
		r := NewRecorder(groups, all)
		rows := drawRows(t, all)
		p := rapid.Int64Range(-35, 75).Draw(t, "p")
		record, err := recordOf(r, rows, all, p)
		if err != nil {
			t.Fatal(err)
		}
		later, err := recordOf(r, rows, all, p+1)
		if err != nil {
			t.Fatal(err)
		}
		for g := range groups {
			tiles := NewTiles(groups[g].Features)
			if !record[g].IsNull(0) {
				if _, err := tiles.Decode(record[g].Bytes[0]); err != nil {
					t.Fatalf("%x: %v", record[g].Bytes[0], err)
				}
			}
			for n, f := range at[g] {
				for now := p; now < p+50; now++ {
					want := bruteForce(&features[f], of[f], rows, now, p)
					if got := valueAt(t, tiles, &record[g], n, now); !same(got, want) {
						t.Fatalf("%+v at %d, published %d: %v, want %v, of %+v", *features[f].Window, now, p, got, want, rows)
					}
				}
			}
			became := false
			for _, row := range rows {
				became = became || max(row.event, row.available) == p+1
			}
			span := tiles.Span
			crossed := !span.Lifetime() && span.quarter(span.First(p)) != span.quarter(span.First(p+1))
			if !became && !crossed && (record[g].IsNull(0) != later[g].IsNull(0) || !record[g].IsNull(0) && !bytes.Equal(record[g].Bytes[0], later[g].Bytes[0])) {
				t.Fatalf("%+v at %d: %x, and then %x", span, p, record[g].Value(0), later[g].Value(0))
			}
		}
	})
}

func windowed(name string, f fstore.Function, t fstore.Type, length, hop int64) fstore.Feature {
	return fstore.Feature{Name: name, Type: t, Window: &fstore.Window{
		Function: f, Expression: "x", N: 3, Length: fstore.Duration(length * 1000), Hop: fstore.Duration(hop * 1000),
	}}
}

// rowsAt returns rows of one series that are visible at once.
func rowsAt(events []int64, values ...any) (rows []testRow) {
	for i, e := range events {
		rows = append(rows, testRow{event: e, created: e, available: e, passes: []bool{true}, values: []any{values[i]}})
	}
	return rows
}

// A sum that overflows once a tile has left is refused, unless no look-up from the run's instant on could see it.
func TestOverflowOfASuffix(t *testing.T) {
	t.Parallel()
	features := []fstore.Feature{windowed("total", fstore.Sum, fstore.Int64, day, hour)}
	groups, _ := ofView(features)
	all := SeriesOf(features)
	r := NewRecorder(groups, all)
	rows := rowsAt([]int64{hour, 5 * hour, 9 * hour}, int64(-1), int64(math.MaxInt64), int64(1))
	_, err := recordOf(r, rows, all, 10*hour)
	if err == nil || !errors.Is(err, fstore.ErrInvalid) {
		t.Fatalf("the sum overflows when -1 leaves: %v", err)
	}
	for _, want := range []string{"feature total", "from 1970-01-01T05:00:00Z to 1970-01-01T09:00:00Z", "a sum of integers does not fit int64"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	// The maximum has just left, and the quarter still starts before it.
	p := 5*hour + day
	if span := SpanOf(features[0].Window); span.quarter(span.First(p)) > 4 {
		t.Fatal("the tile would not be kept")
	}
	record, err := recordOf(r, rows, all, p)
	if err != nil {
		t.Fatalf("no look-up sees the sum: %v", err)
	}
	tiles := NewTiles(groups[0].Features)
	if got := valueAt(t, tiles, &record[0], 0, p); got != int64(1) {
		t.Errorf("got %v, want 1", got)
	}
}

// A value beyond the range of exact sums is an error while a window has it, and none after.
func TestAValueBeyondTheRangeLeaves(t *testing.T) {
	t.Parallel()
	for _, f := range []fstore.Function{fstore.Sum, fstore.Mean, fstore.Stddev} {
		features := []fstore.Feature{windowed("x", f, fstore.Float64, day, hour)}
		groups, _ := ofView(features)
		all := SeriesOf(features)
		r := NewRecorder(groups, all)
		rows := rowsAt([]int64{0, hour, 2 * hour, 40 * hour, 41 * hour}, 1e30, -1e30, 1e30, 2.0, 2.0)
		if _, err := recordOf(r, rows, all, 3*hour); err == nil || !strings.Contains(err.Error(), "the value 1e+30 is 2^67") {
			t.Errorf("%s: %v", f, err)
		}
		record, err := recordOf(r, rows, all, 42*hour)
		if err != nil {
			t.Fatal(err)
		}
		want := map[fstore.Function]float64{fstore.Sum: 4, fstore.Mean: 2, fstore.Stddev: 0}[f]
		if got := valueAt(t, NewTiles(groups[0].Features), &record[0], 0, 42*hour); got != want {
			t.Errorf("%s: %v, want %v", f, got, want)
		}
	}
}

// NaN and infinities leave with their tiles, before 1970 too.
func TestNaNAndInfinitiesLeave(t *testing.T) {
	t.Parallel()
	features := []fstore.Feature{windowed("x", fstore.Sum, fstore.Float64, day, hour)}
	groups, _ := ofView(features)
	all := SeriesOf(features)
	r, tiles := NewRecorder(groups, all), NewTiles(groups[0].Features)
	base := -1000 * day
	rows := rowsAt([]int64{base + hour, base + 2*hour, base + 3*hour, base + 4*hour}, math.NaN(), math.Inf(1), math.Inf(-1), 7.0)
	record, err := recordOf(r, rows, all, base+4*hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   int64 // hours after base
		plus int64
		want any
	}{
		{24, 0, math.NaN()},
		{25, -1, math.NaN()},
		{25, 0, math.NaN()},
		{26, -1, math.NaN()},
		{26, 0, math.Inf(-1)},
		{27, -1, math.Inf(-1)},
		{27, 0, 7.0},
		{28, -1, 7.0},
		{28, 0, nil},
		{2800, 0, nil},
	} {
		if got := valueAt(t, tiles, &record[0], 0, base+c.at*hour+c.plus); !same(got, c.want) {
			t.Errorf("%d hours and %d µs later: %v, want %v", c.at, c.plus, got, c.want)
		}
	}
}

// The texts of suffixes share their bytes: last has one text, last_n little more than the longest list.
func TestTextsAreShared(t *testing.T) {
	t.Parallel()
	features := []fstore.Feature{windowed("last", fstore.Last, fstore.String, day, hour), windowed("recent", fstore.LastN, fstore.List(fstore.String), day, hour)}
	groups, _ := ofView(features)
	all := SeriesOf(features)
	var events []int64
	var values []any
	for i := range int64(24) {
		events, values = append(events, i*hour), append(values, strings.Repeat("x", 100)+string(rune('a'+i)))
	}
	record, err := recordOf(NewRecorder(groups, all), rowsAt(events, values...), all, 23*hour)
	if err != nil {
		t.Fatal(err)
	}
	tiles := NewTiles(groups[0].Features)
	most := tilesHead + 23*2 + 24*tiles.entry + 101 + 3*102
	if got := len(record[0].Bytes[0]); got != most {
		t.Errorf("%d bytes, want %d", got, most)
	}
}
