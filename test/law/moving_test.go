package law

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/test/free"
)

// moves compares get at an instant, after a view without a schedule was published at p, with value(K, T, P): its windows move
// with the clock. A clock before p is taken for p.
func (w *world) moves(t testing.TB, v *fstore.ViewVersion, p, at int64, history []row, keys [][]any, h *holder) {
	t.Helper()
	answer, err := w.ask(h, listOf(v), keys, at, online.MachineClock)
	if err != nil {
		t.Fatal(err)
	}
	if !answer.Clock.Equal(fstore.FromMicros(at)) {
		t.Fatalf("%s: the clock at %d is %s", h.name, at, answer.Clock)
	}
	for k, key := range keys {
		for f := range v.View.Features {
			got, want := plain(answer.Features[f].Column.Value(k)), windowedValue(v, &v.View.Features[f], history, key, max(at, p), p)
			if !same(got, want) {
				t.Fatalf("%s: %s at %d, published %d, key %v: %v, want %v\n%v\n%s", h.name, v.View.Features[f].Name, at, p, key, got, want, history, w.definitions())
			}
		}
	}
}

const (
	hour = int64(time.Hour / time.Microsecond)
	day  = 24 * hour
)

// movingByHand is a view of windows of a day by an hour and of a week by six hours.
func movingByHand(windows string) *story {
	return &story{byCreate: true, views: []storyView{{name: "moving", entities: "[customer]", from: "src", aggregations: strings.ReplaceAll(`
  - {name: rows, function: count, type: int64, windows: [WINDOWS], default: 0}
  - {name: total, function: sum, expression: x, type: int64, windows: [WINDOWS]}
  - {name: exact, function: sum, expression: y * 2, type: float64, windows: [WINDOWS]}
  - {name: top, function: max, expression: z, type: string, windows: [WINDOWS], where: "x <> 0"}
`, "WINDOWS", windows)}}}
}

// movingWorld is a world of a story's view over rows of src.
func movingWorld(t *testing.T, s *story, rows [][]any) *world {
	t.Helper()
	dir := tempDir(t)
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}}, [][]any{{int64(1), "one"}})
	writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, rows)
	w := newWorld(t, dir, 2, s.repo())
	t.Cleanup(func() { w.close(t) })
	return w
}

// Two runs, ten days apart, and what is asked before, between and after: a short window empties while a long one does not, all
// empty, and a row that became available after it had left is not seen. Values and instants are before 1970; NaN and infinities
// enter and leave.
func TestMovingWindowsBetweenRuns(t *testing.T) {
	t.Parallel()
	const base = -1000 * day
	at := func(hours float64) int64 { return base + int64(hours*float64(hour)) }
	row := func(k int64, event, created float64, x int64, y float64, z string) []any {
		return []any{k, "", at(event), at(created), x, y, z}
	}
	rows := [][]any{
		row(1, 0, 0, 5, 1, "a"), row(1, 0, 1, -5, math.NaN(), "b"), row(1, 20, 20, 7, math.Inf(1), "c"), row(1, 21.5, 22, 0, math.Inf(-1), "d"),
		row(2, 1, 300, 100, 1, "late"), row(2, 23, 23, 1, 2, "in time"),
		{int64(3), "", at(23), nil, int64(1), 0.5, "z"},
		{nil, "", at(1), at(1), int64(1), 1.0, ""},
		row(1, 24*9, 24*9, 1, 1, "new"), row(4, 24*9+1, 24*9+30, 1, 1, "later"),
	}
	s := movingByHand("1d, 7d")
	w := movingWorld(t, s, rows)
	v := w.view(t, "moving")
	holders := backends(t, w.dir, startRedis(t), "moving")
	defer closeAll(t, holders)
	keys := [][]any{{int64(1)}, {int64(2)}, {int64(3)}, {int64(4)}, {int64(5)}, {nil}}
	for _, run := range []struct{ p, next float64 }{{23.5, 24 * 10}, {24 * 10, 24 * 20}} {
		for _, h := range holders {
			w.publish(t, h, 0, at(run.p), v)
			for hours := run.p - 1; hours < run.next; hours += 1.25 {
				for edge := int64(-1); edge <= 1; edge++ {
					w.moves(t, v, at(run.p), at(math.Floor(hours))+edge, s.history(rows), keys, h)
					w.moves(t, v, at(run.p), at(hours)+edge, s.history(rows), keys, h)
				}
			}
		}
	}
}

// A record keeps its bytes while its key has no new rows, until a window starts a new quarter. Then tiles leave, and once the
// longest window has none, the record.
func TestRecordsWithoutNewRowsAreNotWritten(t *testing.T) {
	t.Parallel()
	var rows [][]any
	for i := range int64(24) {
		rows = append(rows, []any{int64(1), "", i * hour, i * hour, i, float64(i), "z"})
	}
	w := movingWorld(t, movingByHand("1d"), rows)
	v := w.view(t, "moving")
	holders := backends(t, w.dir, startRedis(t), "moving")
	defer closeAll(t, holders)
	for _, h := range holders {
		written := ""
		for p := int64(24); p < 50; p++ {
			s := w.publish(t, h, 0, p*hour, v)[0]
			written += map[[2]int64]string{{0, 0}: ".", {1, 0}: "w", {0, 1}: "d"}[[2]int64{s.Written, s.Deleted}]
		}
		// Published at the 30th hour, the window starts at the 6th, and at the 47th, the 23rd.
		if want := "w.....w.....w.....w....d.."; written != want {
			t.Errorf("%s: runs wrote %s, want %s", h.name, written, want)
		}
	}
}

// Earlier versions of a view, which pins keep alive, answer beside the newest.
func TestEarlierVersionsOfMovingWindows(t *testing.T) {
	t.Parallel()
	var rows [][]any
	for i := range int64(50) {
		rows = append(rows, []any{i % 3, "", i * hour, i * hour, i, float64(i), "z"})
	}
	w := movingWorld(t, movingByHand("1d, 7d"), rows)
	holders := backends(t, w.dir, startRedis(t), "moving")
	defer closeAll(t, holders)
	versions := []*fstore.ViewVersion{w.view(t, "moving")}
	for _, windows := range []string{"1d, 3d", "2d, 7d, lifetime"} {
		w.write(t, movingByHand(windows).repo())
		versions = append(versions, w.view(t, "moving"))
	}
	for _, h := range holders {
		w.publish(t, h, 0, 40*hour, versions...)
		for n, v := range versions {
			if v.Ref.Version != n+1 {
				t.Fatalf("version %d is %s", n+1, v.Ref)
			}
			for at := 39 * hour; at < 300*hour; at += 7 * hour {
				w.moves(t, v, 40*hour, at, movingByHand("").history(rows), [][]any{{int64(0)}, {int64(1)}, {int64(2)}, {int64(3)}}, h)
			}
		}
	}
}

// A run refuses a sum that would overflow as its window moves on, before it writes anything. Once the rows have left, it runs.
func TestASumThatWouldOverflowLaterIsRefused(t *testing.T) {
	t.Parallel()
	w := movingWorld(t, movingByHand("1d"), [][]any{
		{int64(1), "", 1 * hour, 1 * hour, int64(-10), 1.0, ""}, {int64(1), "", 2 * hour, 2 * hour, int64(math.MaxInt64), 1.0, ""}, {int64(1), "", 3 * hour, 3 * hour, int64(10), 1.0, ""},
	})
	v := w.view(t, "moving")
	holders := backends(t, w.dir, startRedis(t), "moving")
	defer closeAll(t, holders)
	for _, h := range holders {
		_, err := materialize.Run(t.Context(), materialize.Options{
			Views: []*fstore.ViewVersion{v}, To: fstore.FromMicros(4 * hour), Now: func() time.Time { return far }, State: h.state,
			Source: w.engine, Sink: project.Sink{Store: h.store}, Leases: &free.Leases{}, Clock: project.Clock{Time: time.Now},
		})
		for _, want := range []string{"moving@1", "key k 1", "feature total_1d", "from 1970-01-01T02:00:00Z to 1970-01-01T03:00:00Z", "does not fit int64"} {
			if err == nil || !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", h.name, want, err)
			}
		}
		if _, published, err := h.store.Pointer(t.Context(), v.Ref); published || err != nil {
			t.Errorf("%s: published: %v %v", h.name, published, err)
		}
		w.publish(t, h, 0, 27*hour, v)
	}
}
