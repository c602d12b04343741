package offline

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// movingView returns a view of windows without a schedule.
func movingView(src fstore.Source, features ...fstore.Feature) *fstore.ViewVersion {
	v := windowView(src, features...)
	v.View.Publish = nil
	for _, f := range v.View.Features {
		if f.Window.Length > 0 {
			f.Window.Hop = window.DefaultHop(f.Window.Length)
		}
	}
	return v
}

// As of an instant, a view without a schedule has the newest visible event of each key and its tiles. A key is left out once
// its newest row has left the longest window.
func TestTilesOfMovingWindows(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
		"1 | 2011-12-04 06:00:00 | 10", "1 | 2011-12-05 12:00:00 | 20", "1 | 2011-12-05 12:00:01 | NULL", "1 | 2011-12-07 | 1000",
		"2 | 2011-12-03 23:59:59 | 40", "3 | 2011-12-04 00:00:01 | 50", "NULL | 2011-12-05 | 50"))
	v := movingView(source_("s.parquet"), windowFeature("n_1d", fstore.Count, "", fstore.Int64, days), windowFeature("sum_1d", fstore.Sum, "x", fstore.Int64, days),
		windowFeature("sum_2d", fstore.Sum, "x", fstore.Int64, 2*days))
	p := time.Date(2011, 12, 6, 0, 30, 0, 0, time.UTC)
	want := map[int64]string{
		1: "2011-12-05T12:00:01Z | n_1d+sum_1d 11:2,20, 12:1,null, | sum_2d -19:30, 11:20, 12:null,",
		3: "2011-12-04T00:00:01Z | n_1d+sum_1d | sum_2d -24:50,",
	}
	if got := tilesAsOf(t, r, v, p); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// Six hours later a row of either key has left the longest window. Tiles stay until the quarter of the window ends.
	delete(want, 3)
	if got := tilesAsOf(t, r, v, p.Add(6*time.Hour)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	want[1] = "2011-12-05T12:00:01Z | n_1d+sum_1d 12:1,null, | sum_2d 11:20, 12:null,"
	if got := tilesAsOf(t, r, v, p.Add(12*time.Hour)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// tilesAsOf returns the event and the tiles of each key as text. Tiles are counted from the fifth on.
func tilesAsOf(t *testing.T, r *repo, v *fstore.ViewVersion, p time.Time) map[int64]string {
	t.Helper()
	rows := map[int64]string{}
	groups := v.View.TileGroups()
	for b, err := range r.e.AsOf(t.Context(), v, p) {
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Len {
			text := fstore.FormatTime(fstore.FromMicros(b.Columns[1].Int64s[row]))
			for g := range groups {
				c := &b.Columns[2+g]
				text += " | " + c.Name
				if c.IsNull(row) {
					continue
				}
				s, err := window.NewTiles(groups[g].Features).Decode(c.Bytes[row])
				if err != nil {
					t.Fatal(err)
				}
				for i, tile := range s.Tiles {
					text += fmt.Sprintf(" %d:", tile-fstore.Micros(time.Date(2011, 12, 5, 0, 0, 0, 0, time.UTC))/groups[g].Features[0].Window.Hop.Micros())
					for f := range s.Values {
						text += string(s.Values[f].AppendJSON(nil, i)) + ","
					}
				}
			}
			rows[b.Columns[0].Int64s[row]] = text
		}
	}
	return rows
}

// A run refuses a sum that will not fit once a row has left, and names the view, the key, the feature and the rows.
func TestASuffixThatWillNotFit(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT | y DOUBLE",
		"1 | 2011-12-05 | 1 | 1", "2 | 2011-12-05 01:00:00 | -5 | -1.4e20", fmt.Sprintf("2 | 2011-12-05 02:00:00 | %d | 1.4e20", int64(math.MaxInt64)), "2 | 2011-12-05 03:00:00 | 5 | 1.4e20"))
	for _, f := range []fstore.Feature{
		windowFeature("total", fstore.Sum, "x", fstore.Int64, days),
		windowFeature("total", fstore.Sum, "y", fstore.Float64, days),
		windowFeature("total", fstore.Mean, "y", fstore.Float64, days),
	} {
		v := movingView(source_("s.parquet"), f)
		_, err := r.asOf(v, time.Date(2011, 12, 5, 4, 0, 0, 0, time.UTC))
		r.fails(err, "windows@1", "key k 2", "feature total", "from 2011-12-05T02:00:00Z to 2011-12-05T03:00:00Z")
		if _, err := r.asOf(v, time.Date(2011, 12, 6, 2, 0, 0, 0, time.UTC)); err != nil {
			t.Errorf("the rows have left: %v", err)
		}
	}
}
