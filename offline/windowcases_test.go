package offline

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// byClock makes windows end at the clock, by a hop.
func byClock(v *fstore.ViewVersion, hop time.Duration) *fstore.ViewVersion {
	v.View.Publish = nil
	for i := range v.View.Features {
		if w := v.View.Features[i].Window; w.Length > 0 {
			w.Hop = fstore.Duration(hop)
		}
	}
	return v
}

// What each function makes of negative values, of rows whose expression is null, and of no rows.
func TestValuesOfWindowFunctions(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
		"1 | 2011-12-01 | 5", "1 | 2011-12-01 01:00:00 | -7", "1 | 2011-12-01 02:00:00 | NULL", "1 | 2011-12-01 03:00:00 | 5",
		"2 | 2011-12-01 | NULL", "2 | 2011-12-01 01:00:00 | NULL", "3 | 2011-11-20 | 1", "NULL | 2011-12-01 | 100"))
	list := windowFeature("j_last3", fstore.LastN, "x", fstore.List(fstore.Int64), 2*days)
	list.Window.N = 3
	features := []fstore.Feature{
		windowFeature("a_rows", fstore.Count, "", fstore.Int64, 2*days), windowFeature("b_count", fstore.Count, "x", fstore.Int64, 2*days),
		windowFeature("c_sum", fstore.Sum, "x", fstore.Int64, 2*days), windowFeature("d_mean", fstore.Mean, "x", fstore.Float64, 2*days),
		windowFeature("e_min", fstore.Min, "x", fstore.Int64, 2*days), windowFeature("f_max", fstore.Max, "x", fstore.Int64, 2*days),
		windowFeature("g_stddev", fstore.Stddev, "x", fstore.Float64, 2*days),
		windowFeature("h_first", fstore.First, "x", fstore.Int64, 2*days), windowFeature("i_last", fstore.Last, "x", fstore.Int64, 2*days), list,
	}
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-02", "2 | 2011-12-02", "3 | 2011-12-02", "NULL | 2011-12-02"))
	for name, v := range map[string]*fstore.ViewVersion{"publish": windowView(source_("s.parquet"), features...), "clock": byClock(windowView(source_("s.parquet"), features...), time.Hour)} {
		got, _ := r.train(r.request("l.parquet", all(v)))
		t.Log(name)
		r.check(got,
			"1 | 2011-12-02 00:00:00 | 4 | 3 | 3 | 1.0 | -7 | 5 | 6.928203230275509 | 5 | 5 | [5, -7]",
			"2 | 2011-12-02 00:00:00 | 2 | 0 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | []",
			"3 | 2011-12-02 00:00:00 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL",
			"NULL | 2011-12-02 00:00:00 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL")
	}
}

// Of rows with one event time the created time decides what is first and last, a null one counting as the event; then the value.
func TestTiesOfFirstAndLast(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | x BIGINT",
		"1 | 2011-12-01 | 2011-12-01 02:00:00 | 1", "1 | 2011-12-01 | 2011-12-01 01:00:00 | 9", "1 | 2011-12-01 | NULL | 5",
		"2 | 2011-12-01 | 2011-12-01 | 4", "2 | 2011-12-01 | NULL | 3", "2 | 2011-12-01 | 2011-12-01 | NULL"))
	src := source_("s.parquet")
	src.Created, src.Available = "created", fstore.Available{Created: true}
	v := byClock(windowView(src, windowFeature("first", fstore.First, "x", fstore.Int64, 2*days), windowFeature("last", fstore.Last, "x", fstore.Int64, 2*days)), time.Hour)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-01", "1 | 2011-12-01 01:00:00", "1 | 2011-12-01 02:00:00", "2 | 2011-12-01"))
	got, _ := r.train(r.request("l.parquet", all(v)))
	r.check(got, "1 | 2011-12-01 00:00:00 | 5 | 5", "1 | 2011-12-01 01:00:00 | 5 | 9", "1 | 2011-12-01 02:00:00 | 5 | 1", "2 | 2011-12-01 00:00:00 | NULL | 4")
}

// A late row counts from when it is available until it leaves the window; one that is available only then never counts.
func TestLateRowsOfWindows(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | x BIGINT",
		"1 | 2011-12-01 00:00:00 | 2011-12-01 00:00:00 | 1", "1 | 2011-12-01 06:00:00 | 2011-12-01 18:00:00 | 10", "1 | 2011-12-01 12:00:00 | 2011-12-02 13:00:00 | 100"))
	src := source_("s.parquet")
	src.Created, src.Available = "created", fstore.Available{Created: true}
	sum := windowFeature("sum", fstore.Sum, "x", fstore.Int64, days)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP",
		"1 | 2011-11-30 23:59:59.999999", "1 | 2011-12-01", "1 | 2011-12-01 17:59:59.999999", "1 | 2011-12-01 18:00:00", "1 | 2011-12-01 23:59:59.999999", "1 | 2011-12-02",
		"1 | 2011-12-02 05:59:59.999999", "1 | 2011-12-02 06:00:00", "1 | 2011-12-02 13:00:00"))
	got, _ := r.train(r.request("l.parquet", all(byClock(windowView(src, sum), time.Hour))))
	r.check(got,
		"1 | 2011-11-30 23:59:59.999999 | NULL", "1 | 2011-12-01 00:00:00 | 1", "1 | 2011-12-01 17:59:59.999999 | 1", "1 | 2011-12-01 18:00:00 | 11",
		"1 | 2011-12-01 23:59:59.999999 | 11", "1 | 2011-12-02 00:00:00 | 10", "1 | 2011-12-02 05:59:59.999999 | 10", "1 | 2011-12-02 06:00:00 | NULL", "1 | 2011-12-02 13:00:00 | NULL")

	// With publish, offset and delay, a label at T sees the last publication that was servable by then.
	v := windowView(src, windowFeature("sum", fstore.Sum, "x", fstore.Int64, days))
	v.View.Publish = &fstore.Publish{Every: fstore.Duration(6 * time.Hour), Offset: fstore.Duration(time.Hour), Delay: fstore.Duration(30 * time.Minute)}
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP",
		"1 | 2011-12-01 01:29:59.999999", "1 | 2011-12-01 01:30:00", "1 | 2011-12-01 19:29:59.999999", "1 | 2011-12-01 19:30:00", "1 | 2011-12-02 01:30:00", "1 | 2011-12-02 07:30:00"))
	got, _ = r.train(r.request("l.parquet", all(v)))
	r.check(got, "1 | 2011-12-01 01:29:59.999999 | NULL", "1 | 2011-12-01 01:30:00 | 1", "1 | 2011-12-01 19:29:59.999999 | 1", "1 | 2011-12-01 19:30:00 | 11",
		"1 | 2011-12-02 01:30:00 | 10", "1 | 2011-12-02 07:30:00 | NULL")
}

// Sums are exact: values cancel to the bit, NaN and infinities leave no trace once they have left, and the range has an end.
func TestSumsOfWindowsAtTheirEnds(t *testing.T) {
	r := newRepo(t, 2)
	big := math.Ldexp(1, 66)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | y DOUBLE",
		"1 | 2011-12-01 | 1e15", "1 | 2011-12-01 01:00:00 | 0.1", "1 | 2011-12-01 02:00:00 | -1e15",
		"2 | 2011-12-01 | inf", "2 | 2011-12-01 01:00:00 | -inf", "2 | 2011-12-01 12:00:00 | 0.5",
		fmt.Sprintf("3 | 2011-12-01 | %g", -big), fmt.Sprintf("3 | 2011-12-01 01:00:00 | %.0f", -big+math.Ldexp(1, 14))))
	v := byClock(windowView(source_("s.parquet"), windowFeature("sum", fstore.Sum, "y", fstore.Float64, days)), time.Hour)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-01 02:00:00", "2 | 2011-12-01", "2 | 2011-12-01 02:00:00", "2 | 2011-12-02 01:00:00", "3 | 2011-12-01 01:00:00"))
	got, _ := r.train(r.request("l.parquet", all(v)))
	r.check(got, "1 | 2011-12-01 02:00:00 | 0.1", "2 | 2011-12-01 00:00:00 | inf", "2 | 2011-12-01 02:00:00 | nan", "2 | 2011-12-02 01:00:00 | 0.5",
		fmt.Sprintf("3 | 2011-12-01 01:00:00 | %v", -2*big+math.Ldexp(1, 14)))
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | y DOUBLE", fmt.Sprintf("3 | 2011-12-01 | %.0f", big), fmt.Sprintf("3 | 2011-12-01 01:00:00 | %.0f", big)))
	_, err := r.e.TrainingSet(context.Background(), r.request("l.parquet", all(v)))
	r.fails(err, "windows@1", "key k 3", "feature sum", "over the rows after 2011-11-30T01:00:00Z and up to 2011-12-01T01:00:00Z")
}

// A sum of integers that does not fit is an error of the label whose window holds the rows, and only of that.
func TestOverflowNamesKeyAndRows(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | -1", fmt.Sprintf("1 | 2011-12-01 06:00:00 | %d", int64(math.MaxInt64)), "1 | 2011-12-01 12:00:00 | 1"))
	v := byClock(windowView(source_("s.parquet"), windowFeature("sum", fstore.Sum, "x", fstore.Int64, days)), time.Hour)
	for at, fits := range map[string]bool{"2011-12-01 11:59:59": true, "2011-12-01 12:00:00": true, "2011-12-02 00:00:00": false, "2011-12-02 06:00:00": true} {
		r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | "+at))
		_, err := r.e.TrainingSet(context.Background(), r.request("l.parquet", all(v)))
		switch {
		case fits && err != nil:
			t.Errorf("%s: %v", at, err)
		case !fits:
			r.fails(err, "windows@1", "key k 1", "feature sum", "over the rows after 2011-12-01T00:00:00Z and up to 2011-12-01T12:00:00Z", "does not fit int64")
		}
	}
}
