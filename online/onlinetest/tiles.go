package onlinetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/window"
)

// sawtooth returns a view whose windows move with the clock: an hour in hops of 5 minutes and a day in hops of an hour. Large
// ones are those of rows above 5.
func sawtooth() *fstore.ViewVersion {
	v := view("saw", "id int64", "count_1h int64=0, large_1h int64, last_1h string, sum_1d int64, sum_1h int64")
	const hour = fstore.Duration(time.Hour)
	for i, w := range []fstore.Window{
		{Function: fstore.Count, Length: hour, Hop: hour / 12},
		{Function: fstore.Sum, Expression: "x", Where: "x > 5", Length: hour, Hop: hour / 12},
		{Function: fstore.Last, Expression: "name", Length: hour, Hop: hour / 12},
		{Function: fstore.Sum, Expression: "x", Length: 24 * hour, Hop: hour},
		{Function: fstore.Sum, Expression: "x", Length: hour, Hop: hour / 12},
	} {
		v.View.Features[i].Window = &w
	}
	return v
}

// happened is a row of the source of sawtooth.
type happened struct {
	before time.Duration // the published instant
	x      int64
	name   string
}

// record returns what a run published at published writes for a key of sawtooth.
func record(t testing.TB, id int64, rows ...happened) row {
	t.Helper()
	v := sawtooth()
	series := window.SeriesOf(v.View.ByName())
	columns := []fstore.Column{fstore.NewColumn("event", fstore.Timestamp, 0), fstore.NewColumn("created", fstore.Timestamp, 0)}
	for _, s := range series {
		passes, values := fstore.NewColumn("", fstore.Bool, 0), fstore.NewColumn("", s.Type, 0)
		for _, r := range rows {
			passes.Append(s.Where == "" || r.x > 5)
			if s.Type == fstore.String {
				values.Append(r.name)
			} else if s.Type == fstore.Bool {
				values.Append(true)
			} else {
				values.Append(r.x)
			}
		}
		columns = append(columns, passes, values)
	}
	r := window.NewRecorder(v.View.TileGroups(), series)
	r.Reset()
	for i := range rows {
		at := fstore.Micros(published.Add(-rows[i].before))
		columns[0].AppendInt64(at)
		columns[1].AppendInt64(at)
		r.Enter(columns, i)
	}
	var out []fstore.Column
	for _, f := range v.View.Record() {
		out = append(out, fstore.NewColumn(f.Name, f.Type, 1))
	}
	must(r.Record(fstore.Micros(published), out))
	made := row{id, fstore.FromMicros(r.Newest())}
	for i := range out {
		made = append(made, out[i].Value(0))
	}
	return made
}

// Sawtooth publishes a view whose windows move with the clock, with the keys 0 to keys−1. It returns a list of its features of
// fixed width.
func Sawtooth(t testing.TB, s *online.Store, keys int) *fstore.FeatureList {
	t.Helper()
	v := sawtooth()
	var rows []row
	for i := range keys {
		rows = append(rows, record(t, int64(i), happened{time.Hour, 9, "a"}, happened{20 * time.Minute, 9, "b"}, happened{time.Minute, 2, "c"}))
	}
	load(t, s, v, generation1, published, rows...)
	l := list(use(v))
	l.Outputs = slices.DeleteFunc(l.Outputs, func(o fstore.Output) bool { return o.Name() == "last_1h" })
	return l
}

var tileTests = []test{
	{"windows_move_with_the_clock_and_empty_without_a_run", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), sawtooth()
		load(t, s, v, generation1, published,
			record(t, 1, happened{2 * time.Hour, 1, "a"}, happened{30 * time.Minute, 2, "b"}, happened{0, 30, "c"}),
			record(t, 2, happened{10 * time.Minute, 7, ""}))
		at := func(after time.Duration) []string {
			return ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3), nil)}, Now: published.Add(after), Clock: online.MachineClock})
		}
		const none = " | null NOT_FOUND | null NOT_FOUND"
		// Published at 12:50, the windows of an hour start at 11:50, and move on at every fifth minute.
		same(t, at(0), []string{"count_1h: 2 | 1 | 0 NOT_FOUND | 0 NOT_FOUND", "large_1h: 30 | 7" + none, `last_1h: "c" | ""` + none, "sum_1d: 33 | 7" + none, "sum_1h: 32 | 7" + none})
		same(t, at(-time.Hour), at(0))
		same(t, at(30*time.Minute-1000), at(0))
		same(t, at(30*time.Minute), []string{"count_1h: 1 | 1 | 0 NOT_FOUND | 0 NOT_FOUND", "large_1h: 30 | 7" + none, `last_1h: "c" | ""` + none, "sum_1d: 33 | 7" + none, "sum_1h: 30 | 7" + none})
		same(t, at(time.Hour-1000), []string{"count_1h: 1 | 0 NULL_VALUE | 0 NOT_FOUND | 0 NOT_FOUND", "large_1h: 30 | null NULL_VALUE" + none, `last_1h: "c" | null NULL_VALUE` + none, "sum_1d: 33 | 7" + none, "sum_1h: 30 | null NULL_VALUE" + none})
		same(t, at(time.Hour), []string{"count_1h: 0 NULL_VALUE | 0 NULL_VALUE | 0 NOT_FOUND | 0 NOT_FOUND", "large_1h: null NULL_VALUE | null NULL_VALUE" + none, `last_1h: null NULL_VALUE | null NULL_VALUE` + none, "sum_1d: 33 | 7" + none, "sum_1h: null NULL_VALUE | null NULL_VALUE" + none})
		// The window of a day starts at 12:00 of the day before until 13:00, and from then on at 13:00.
		same(t, at(24 * time.Hour)[3:4], []string{"sum_1d: 32 | 7" + none})
		same(t, at(24*time.Hour + 10*time.Minute - 1000)[3:4], []string{"sum_1d: 32 | 7" + none})
		same(t, at(24*time.Hour + 10*time.Minute)[3:4], []string{"sum_1d: null NOT_FOUND | null NOT_FOUND" + none})
	}},
	{"values_of_moving_windows_are_as_of_the_clock", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), sawtooth()
		load(t, s, v, generation1, published, record(t, 1, happened{0, 1, "a"}))
		l := list(use(v))
		l.Outputs = l.Outputs[:1]
		for _, c := range []struct {
			after time.Duration
			want  string
		}{
			{-time.Hour, "count_1h: 1 at 2011-12-09T12:50:00Z | 0 NOT_FOUND at no time"},
			{time.Minute, "count_1h: 1 at 2011-12-09T12:51:00Z | 0 NOT_FOUND at no time"},
			{2 * time.Hour, "count_1h: 0 NULL_VALUE at 2011-12-09T14:50:00Z | 0 NOT_FOUND at no time"},
			{48 * time.Hour, "count_1h: 0 NOT_FOUND at no time | 0 NOT_FOUND at no time"},
		} {
			req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, Now: published.Add(c.after), EventTimes: online.WithEventTimes}
			same(t, ask(t, s, l, req), []string{c.want})
			a, err := s.Lookup(context.Background(), l, req)
			if err != nil {
				t.Fatal(err)
			}
			if !a.Clock.Equal(req.Now) {
				t.Errorf("the clock of the answer is %s, want %s", a.Clock, req.Now)
			}
		}
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published.Add(-1000), Clock: online.ChosenClock}
		_, err := s.Lookup(context.Background(), l, req)
		isKind(t, err, fstore.ErrInvalid, "lies before 2011-12-09T12:50:00Z", "saw@1")
	}},
	{"damaged_tiles_are_an_error", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), sawtooth()
		whole := record(t, 1, happened{0, 1, "a"}, happened{10 * time.Minute, 1, "b"})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		for n := 2; n < len(whole); n++ {
			if whole[n] == nil {
				continue
			}
			r := append(row(nil), whole...)
			r[n] = r[n].([]byte)[1:]
			load(t, s, v, fstore.Generation([]string{2: "0000000000000002", 3: "0000000000000003", 4: "0000000000000004"}[n]), published, r)
			_, err := s.Lookup(context.Background(), list(use(v)), req)
			isKind(t, err, fstore.ErrCorrupt, "saw@1")
		}
	}},
}
