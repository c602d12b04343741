package offline

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// What was computed as of an instant holds while added files hold no row that is visible then.
func TestWhatWasComputedHoldsUntilTheFirstAddedRow(t *testing.T) {
	r := newRepo(t, 1)
	r.write("days/1.parquet", "SELECT i % 3 AS id, TIMESTAMP '2024-01-01' + to_hours(i::INT) AS ts, i AS x FROM range(24) t(i)")
	r.write("fixed.parquet", "SELECT 1 AS one")
	day := func(s string) fstore.Source {
		return fstore.Source{Name: "days", Path: s, Event: "ts", Available: fstore.Available{Stated: true}}
	}
	fixed := fstore.Source{Name: "fixed", Path: "fixed*.parquet"}
	v := query("SELECT id, ts, sum(x * one) OVER (PARTITION BY id ORDER BY ts) AS x FROM days, fixed", []string{"id int64"}, []string{"x int64"}, day("days/*.parquet"), fixed)
	v.View.Event = "ts"
	check := func(known []CutDigest, added ...string) *CausalityResult {
		t.Helper()
		for i, name := range added {
			added[i] = filepath.Join(r.dir, name)
		}
		got, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants, Known: known, Added: added})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	computed := func(name string, got *CausalityResult, want int) {
		t.Helper()
		if got.Computed != want || len(got.Cuts) != int(got.Instants) {
			t.Errorf("%s: %d of %d computed, want %d", name, got.Computed, got.Instants, want)
		}
	}
	first := check(nil)
	computed("at first", first, 24)
	computed("the same files", check(first.Cuts), 0)
	r.write("days/2.parquet", "SELECT i % 3 AS id, TIMESTAMP '2024-01-02' + to_hours(i::INT) AS ts, i AS x FROM range(6) t(i)")
	second := check(first.Cuts, "days/2.parquet")
	computed("a later day", second, 6)
	r.write("days/3.parquet", "SELECT 1 AS id, TIMESTAMP '2024-01-01 20:30:00' AS ts, 7 AS x")
	computed("a row of the first day", check(second.Cuts, "days/3.parquet"), 1+3+6)
	r.write("fixed2.parquet", "SELECT 0 AS one")
	computed("a static table's row", check(second.Cuts, "days/3.parquet", "fixed2.parquet"), 31)

	// A known digest is no excuse for a leak: rows of the later day change what was visible before.
	v.View.SQL = "SELECT id, ts, sum(x) OVER (PARTITION BY id) AS x FROM days"
	v.Sources = v.Sources[:1]
	v.Sources[0] = day("days/1.parquet")
	one, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants})
	if !errors.Is(err, fstore.ErrCheck) {
		t.Fatal(one, err)
	}
	v.View.SQL = "SELECT id, ts, (max(ts) OVER (PARTITION BY id) > TIMESTAMP '2024-01-02')::BIGINT AS x FROM days"
	one = check(nil)
	v.Sources[0] = day("days/[12].parquet")
	_, err = r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants, Known: one.Cuts, Added: []string{filepath.Join(r.dir, "days/2.parquet")}})
	var leak *Leak
	if !errors.As(err, &leak) || !leak.Instants[0].Equal(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v", err)
	}
}
