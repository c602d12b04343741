package offline

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// Each test settles the question in its name, on 1 and 4 threads, with few labels and with many.

func TestBoundsAreInclusive(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE",
			"1 | 2011-12-09 12:00:00 | 1.5"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64"})
		v.View.TTL = ttl(time.Hour)
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-09 11:59:59.999999",
			"1 | 2011-12-09 12:00:00",
			"1 | 2011-12-09 13:00:00",
			"1 | 2011-12-09 13:00:00.000001",
			"2 | 2011-12-09 12:30:00",
			"NULL | 2011-12-09 12:30:00",
		)))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-09 11:59:59.999999 | NULL",
			"1 | 2011-12-09 12:00:00 | 1.5",
			"1 | 2011-12-09 13:00:00 | 1.5",
			"1 | 2011-12-09 13:00:00.000001 | NULL",
			"2 | 2011-12-09 12:30:00 | NULL",
			"NULL | 2011-12-09 12:30:00 | NULL",
		)
		if v := s.Views[0]; v.WithValue != 2 || v.Stale != 1 || v.WithValue+v.Stale+v.NoRow+v.NotAvailable != s.Rows {
			r.Errorf("summary %+v of %d rows", v, s.Rows)
		}
		for p, want := range map[time.Duration][]string{
			12*time.Hour - time.Microsecond: nil,
			12 * time.Hour:                  {"1 | 2011-12-09T12:00:00Z | 1.5"},
			13 * time.Hour:                  {"1 | 2011-12-09T12:00:00Z | 1.5"},
			13*time.Hour + time.Microsecond: nil,
		} {
			r.checkAsOf(v, p, want...)
		}
	})
}

func TestTiesOnEventFallToCreatedThenToAllFeaturesInNameOrder(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		// Key 1: created decides. 2: the feature a decides, though only b is asked for and z is greater elsewhere.
		// 3: null is lowest. 4: NaN is highest. 5: a null in the winning row stays. 6: rows that are quite equal.
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | a DOUBLE | b BIGINT | z VARCHAR",
			"1 | 2011-12-09 | 2011-12-11 | 1 | 10 | x",
			"1 | 2011-12-09 | 2011-12-10 | 9 | 11 | y",
			"2 | 2011-12-09 | 2011-12-10 | 2 | 20 | a",
			"2 | 2011-12-09 | 2011-12-10 | 1 | 21 | b",
			"3 | 2011-12-09 | 2011-12-10 | NULL | 30 | a",
			"3 | 2011-12-09 | 2011-12-10 | -1 | 31 | a",
			"4 | 2011-12-09 | 2011-12-10 | inf | 40 | a",
			"4 | 2011-12-09 | 2011-12-10 | nan | 41 | a",
			"5 | 2011-12-09 | 2011-12-10 | 1 | NULL | b",
			"5 | 2011-12-09 | 2011-12-10 | 1 | NULL | c",
			"6 | 2011-12-09 | 2011-12-10 | 1 | 60 | NULL",
			"6 | 2011-12-09 | 2011-12-10 | 1 | 60 | NULL",
		))
		src := source_("s.parquet")
		src.Created = "created"
		v := view(src, []string{"k int64"}, []string{"z string", "b int64", "a float64"})
		list := all(v)
		list.Outputs = list.Outputs[1:2]
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-12", "2 | 2011-12-12", "3 | 2011-12-12", "4 | 2011-12-12", "5 | 2011-12-12", "6 | 2011-12-12")))
		for range 5 {
			got, _ := r.train(r.request("l.parquet", list))
			r.check(got,
				"1 | 2011-12-12 00:00:00 | 10",
				"2 | 2011-12-12 00:00:00 | 20",
				"3 | 2011-12-12 00:00:00 | 31",
				"4 | 2011-12-12 00:00:00 | 41",
				"5 | 2011-12-12 00:00:00 | NULL",
				"6 | 2011-12-12 00:00:00 | 60",
			)
		}
		r.checkAsOf(v, 72*time.Hour,
			"1 | 2011-12-09T00:00:00Z | 1 | 10 | x",
			"2 | 2011-12-09T00:00:00Z | 2 | 20 | a",
			"3 | 2011-12-09T00:00:00Z | -1 | 31 | a",
			"4 | 2011-12-09T00:00:00Z | NaN | 41 | a",
			"5 | 2011-12-09T00:00:00Z | 1 | NULL | c",
			"6 | 2011-12-09T00:00:00Z | 1 | 60 | NULL",
		)
	})
}

func TestATieOnEventAndCreatedIsTheSameOnEveryRun(t *testing.T) {
	r := newRepo(t, 4)
	r.write("s.parquet", "SELECT i % 100 AS k, TIMESTAMP '2011-12-09' AS event, TIMESTAMP '2011-12-09 01:00' AS created, hash(i)::DOUBLE AS x, i AS y FROM range(20000) t(i)")
	src := source_("s.parquet")
	src.Created, src.Available = "created", fstore.Available{Created: true}
	v := view(src, []string{"k int64"}, []string{"y int64", "x float64"})
	list := all(v)
	list.Outputs = list.Outputs[:1]
	r.write("l.parquet", "SELECT i % 100 AS k, TIMESTAMP '2011-12-10' AS t FROM range(500) t(i)")
	r.write("want.parquet", "SELECT max_by(i, hash(i)::DOUBLE) AS y FROM range(20000) t(i) GROUP BY i % 100 ORDER BY i % 100")
	want, _ := r.read("want.parquet")
	for range 50 {
		got, _ := r.train(r.request("l.parquet", list))
		for i, row := range got {
			if row[2] != want[i%100][0] {
				t.Fatalf("label %d: got %s, want %s", i, row[2], want[i%100][0])
			}
		}
	}
}

func TestCreatedDecidesWhenARowIsSeen(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | x BIGINT",
			"1 | 2011-12-01 | 2011-12-03 | 10", // seen from the 3rd
			"1 | 2011-12-02 | 2011-12-02 | 20", // seen from the 2nd: the row above is late and never holds
			"1 | 2011-12-04 | 2011-12-06 | 30", // seen from the 6th
			"1 | 2011-12-05 | NULL       | 40", // a null created is the event: seen from the 5th
			"2 | 2011-12-05 | 2011-12-01 | 50", // created before event: seen from the event
			"3 | 2011-12-01 | 2011-12-04 | 60", // two rows become visible at one instant:
			"3 | 2011-12-02 | 2011-12-04 | 70", // the newer event holds
			"4 | 2011-12-01 | 2011-12-02 | 80", // a correction: the same event, created later
			"4 | 2011-12-01 | 2011-12-04 | 81",
			"5 | 2011-12-03 | 2011-12-01 | 90", // both created before the event: the later created holds
			"5 | 2011-12-03 | 2011-12-02 | 91",
		))
		src := source_("s.parquet")
		src.Created, src.Available = "created", fstore.Available{Created: true}
		v := view(src, []string{"k int64"}, []string{"x int64"})
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-01 23:59:59.999999",
			"1 | 2011-12-02", "1 | 2011-12-03", "1 | 2011-12-04", "1 | 2011-12-05", "1 | 2011-12-06", "1 | 2011-12-07",
			"2 | 2011-12-04", "2 | 2011-12-05",
			"3 | 2011-12-03", "3 | 2011-12-04",
			"4 | 2011-12-03 23:59:59.999999", "4 | 2011-12-04",
			"5 | 2011-12-02", "5 | 2011-12-03",
		)))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-01 23:59:59.999999 | NULL",
			"1 | 2011-12-02 00:00:00 | 20", "1 | 2011-12-03 00:00:00 | 20", "1 | 2011-12-04 00:00:00 | 20",
			"1 | 2011-12-05 00:00:00 | 40", "1 | 2011-12-06 00:00:00 | 40", "1 | 2011-12-07 00:00:00 | 40",
			"2 | 2011-12-04 00:00:00 | NULL", "2 | 2011-12-05 00:00:00 | 50",
			"3 | 2011-12-03 00:00:00 | NULL", "3 | 2011-12-04 00:00:00 | 70",
			"4 | 2011-12-03 23:59:59.999999 | 80", "4 | 2011-12-04 00:00:00 | 81",
			"5 | 2011-12-02 00:00:00 | NULL", "5 | 2011-12-03 00:00:00 | 91",
		)
		// No row: 2 at the 4th, 5 at the 2nd, and the padding. Not yet available: 1 at the 1st, 3 at the 3rd.
		// Late: for 1 at the 4th the event of the 4th is not known yet, for 4 at the 3rd the correction.
		if v := s.Views[0]; v.WithValue != 11 || v.NotAvailable != 2 || v.Late != 2 || v.Unpublished != 0 || v.NoRow != s.Rows-13 {
			r.Errorf("summary %+v", v)
		}
		for p, want := range map[int][]string{
			-7: {"1 | 2011-12-02T00:00:00Z | 20", "4 | 2011-12-01T00:00:00Z | 80"},
			-5: {"1 | 2011-12-02T00:00:00Z | 20", "3 | 2011-12-02T00:00:00Z | 70", "4 | 2011-12-01T00:00:00Z | 81", "5 | 2011-12-03T00:00:00Z | 91"},
		} {
			r.checkAsOf(v, time.Duration(p)*24*time.Hour, want...)
		}
	})
}

func TestALagDelaysEveryRow(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
			"1 | 2011-12-09 10:00 | 10",
			"1 | 2011-12-09 11:00 | 11",
		))
		src := source_("s.parquet")
		src.Available = fstore.Available{Lag: fstore.Duration(2 * time.Hour)}
		v := view(src, []string{"k int64"}, []string{"x int64"})
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-09 11:59:59.999999", "1 | 2011-12-09 12:00", "1 | 2011-12-09 13:00")))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-09 11:59:59.999999 | NULL", "1 | 2011-12-09 12:00:00 | 10", "1 | 2011-12-09 13:00:00 | 11")
		if v := s.Views[0]; v.WithValue != 2 || v.NotAvailable != 1 || v.Late != 1 || v.Unpublished != 0 {
			r.Errorf("summary %+v", v)
		}
		r.checkAsOf(v, 12*time.Hour, "1 | 2011-12-09T10:00:00Z | 10")
	})
}

func TestPublishShowsWhatTheLastRunHadSeen(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
			"1 | 2011-12-09 02:00:00        | 10",
			"1 | 2011-12-09 02:00:00.000001 | 11",
			"1 | 1969-12-30 00:00           | 1", // the grid runs on before the epoch
			"1 | 1969-12-31 02:00           | 2",
		))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
		v.View.Publish = &fstore.Publish{Every: fstore.Duration(24 * time.Hour), Offset: fstore.Duration(2 * time.Hour), Delay: fstore.Duration(time.Hour)}
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-09 02:59:59.999999", // the run of the 8th
			"1 | 2011-12-09 03:00",           // the run of the 9th is servable
			"1 | 2011-12-10 02:59:59.999999",
			"1 | 2011-12-10 03:00",
			"1 | 1969-12-31 02:59:59.999999",
			"1 | 1969-12-31 03:00",
		)))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-09 02:59:59.999999 | 2",
			"1 | 2011-12-09 03:00:00 | 10",
			"1 | 2011-12-10 02:59:59.999999 | 10",
			"1 | 2011-12-10 03:00:00 | 11",
			"1 | 1969-12-31 02:59:59.999999 | 1",
			"1 | 1969-12-31 03:00:00 | 2",
		)
		if v := s.Views[0]; v.Unpublished != 4 || v.Late != 0 || len(s.Continuous) != 0 {
			r.Errorf("summary %+v", s)
		}
		for _, at := range []string{"2011-12-09T02:59:59.999999Z", "2011-12-09T03:00:00Z", "1969-12-31T02:59:59.999999Z", "1969-12-31T03:00:00Z", "1960-01-01T00:00:00.000001Z"} {
			at, err := fstore.ParseTime(at)
			if err != nil {
				r.Fatal(err)
			}
			u := use{ViewUse: fstore.ViewUse{Version: v}}
			s, err := r.e.session(t.Context())
			if err != nil {
				r.Fatal(err)
			}
			b, err := s.query(t.Context(), "SELECT "+u.publishedSQL(instant(at)))
			s.close()
			if err != nil {
				r.Fatal(err)
			}
			if got := fstore.FromMicros(b.Columns[0].Int64s[0]); !got.Equal(v.View.Publish.Servable(at)) {
				r.Errorf("P(%s) = %s, want %s", at, got, v.View.Publish.Servable(at))
			}
		}
	})
}

func TestTTLCountsFromTheLabelNotFromThePublication(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-09 00:00 | 10"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
		v.View.Publish = &fstore.Publish{Every: fstore.Duration(24 * time.Hour)}
		v.View.TTL = ttl(6 * time.Hour)
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-09 06:00", "1 | 2011-12-09 06:00:00.000001")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got, "1 | 2011-12-09 06:00:00 | 10", "1 | 2011-12-09 06:00:00.000001 | NULL")
	})
}

func TestTheNewestRowWinsEvenWhereItIsNull(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT | y BIGINT",
			"1 | 2011-12-08 | 10 | 1", "1 | 2011-12-09 | NULL | 2"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64", "y int64"})
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got, "1 | 2011-12-10 00:00:00 | NULL | 2")
		r.checkAsOf(v, 24*time.Hour, "1 | 2011-12-09T00:00:00Z | NULL | 2")
	})
}

func TestDefaultsFillMissingNullAndStale(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
			"1 | 2011-12-09 | 10", "2 | 2011-12-09 | NULL", "3 | 2011-11-09 | 30"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
		v.View.TTL = ttl(24 * time.Hour)
		v.View.Features[0].Default = value(fstore.Int64, int64(-1))
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-10", "2 | 2011-12-10", "3 | 2011-12-10", "4 | 2011-12-10", "NULL | 2011-12-10")))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-10 00:00:00 | 10", "2 | 2011-12-10 00:00:00 | -1", "3 | 2011-12-10 00:00:00 | -1", "4 | 2011-12-10 00:00:00 | -1",
			"NULL | 2011-12-10 00:00:00 | -1")
		if v := s.Views[0]; v.WithValue != 2 || v.Stale != 1 {
			r.Errorf("summary %+v", v)
		}
		r.checkAsOf(v, 24*time.Hour, "1 | 2011-12-09T00:00:00Z | 10", "2 | 2011-12-09T00:00:00Z | NULL")
	})
}

func TestDefaultsOfEveryTypeAreExact(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2011-12-09' AS event, NULL::BOOLEAN AS a, NULL::INTEGER AS b, NULL::BIGINT AS c, NULL::FLOAT AS d, NULL::DOUBLE AS e, "+
		"NULL::VARCHAR AS f, NULL::BLOB AS g, NULL::TIMESTAMP AS h, NULL::FLOAT[] AS i, NULL::VARCHAR[] AS j, NULL::DOUBLE AS l")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{
		"a bool", "b int32", "c int64", "d float32", "e float64", "f string", "g bytes", "h timestamp",
		"i list<float32>", "j list<string>", "l float64",
	})
	for i, x := range []any{true, int32(-7), int64(-1 << 63), float32(0.1), 0.1, "it's ü", []byte{0, 255}, day.Add(-time.Microsecond), []float32{0.5, -1}, []string{}, inf()} {
		f := &v.View.Features[i]
		f.Default = value(f.Type, x)
	}
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	got, _ := r.train(r.request("l.parquet", all(v)))
	r.check(got, `1 | 2011-12-10 00:00:00 | true | -7 | -9223372036854775808 | 0.1 | 0.1 | it's ü | \x00\xFF | 2011-12-08 23:59:59.999999 | [0.5, -1.0] | [] | inf`)
}

func TestKeysThatConcatenateAlikeAreDifferent(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("a BIGINT | b VARCHAR | event TIMESTAMP | x BIGINT",
			"1 | 23 | 2011-12-09 | 10", "12 | 3 | 2011-12-09 | 20", "1 | | 2011-12-09 | 30", "1 | a}b | 2011-12-09 | 40", "1 | ü | 2011-12-09 | 50",
			"1 | NULL | 2011-12-09 | 60", "NULL | 23 | 2011-12-09 | 70"))
		v := view(source_("s.parquet"), []string{"a int64", "b string"}, []string{"x int64"})
		r.write("l.parquet", labels(values("a BIGINT | b VARCHAR | t TIMESTAMP",
			"12 | 3 | 2011-12-10", "1 | 23 | 2011-12-10", "1 | | 2011-12-10", "1 | a}b | 2011-12-10", "1 | ü | 2011-12-10", "1 | NULL | 2011-12-10",
			"NULL | 23 | 2011-12-10", "123 | | 2011-12-10")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"12 | 3 | 2011-12-10 00:00:00 | 20", "1 | 23 | 2011-12-10 00:00:00 | 10", "1 |  | 2011-12-10 00:00:00 | 30", "1 | a}b | 2011-12-10 00:00:00 | 40",
			"1 | ü | 2011-12-10 00:00:00 | 50", "1 | NULL | 2011-12-10 00:00:00 | NULL", "NULL | 23 | 2011-12-10 00:00:00 | NULL", "123 |  | 2011-12-10 00:00:00 | NULL")
		r.checkAsOf(v, 24*time.Hour,
			"1 |  | 2011-12-09T00:00:00Z | 30", "1 | 23 | 2011-12-09T00:00:00Z | 10", "1 | a}b | 2011-12-09T00:00:00Z | 40", "1 | ü | 2011-12-09T00:00:00Z | 50",
			"12 | 3 | 2011-12-09T00:00:00Z | 20")
	})
}

func TestLabelsKeepOrderAndDuplicates(t *testing.T) {
	r := newRepo(t, 4)
	r.write("s.parquet", "SELECT i AS k, TIMESTAMP '2011-12-01' AS event, i * 10 AS x FROM range(1000) t(i)")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
	r.write("l.parquet", "SELECT hash(i) % 2000 AS k, TIMESTAMP '2011-12-10' AS t, i AS n FROM range(100000) t(i)")
	got, _ := r.train(r.request("l.parquet", all(v)))
	if len(got) != 100000 {
		t.Fatalf("%d rows", len(got))
	}
	for i, row := range got {
		want := "NULL"
		if len(row[0]) <= 3 {
			want = strings.TrimPrefix(row[0]+"0", "00")
			if row[0] == "0" {
				want = "0"
			}
		}
		if row[2] != fmt.Sprint(i) || row[3] != want {
			t.Fatalf("row %d: %v, want %s", i, row, want)
		}
	}
}

func TestOneViewByTwoKeyRoles(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("airport VARCHAR | event TIMESTAMP | wind DOUBLE",
			"ZRH | 2011-12-09 | 1", "LHR | 2011-12-09 | 2", "ZRH | 2011-12-10 | 3"))
		v := view(source_("s.parquet"), []string{"airport string"}, []string{"wind float64"})
		k := v.View.Keys[0]
		list := &fstore.FeatureList{
			Uses: []fstore.ViewUse{
				{Version: v, Keys: []fstore.KeyBinding{{Key: k, Column: "origin"}}},
				{Version: v, Keys: []fstore.KeyBinding{{Key: k, Column: "destination"}}},
			},
			Outputs: fstore.Outputs{fstore.FeatureOutput{As: "origin_wind", Use: 0, Feature: "wind"}, fstore.FeatureOutput{As: "destination_wind", Use: 1, Feature: "wind"}},
		}
		r.write("l.parquet", labels(values("origin VARCHAR | destination VARCHAR | t TIMESTAMP",
			"ZRH | LHR | 2011-12-09", "LHR | ZRH | 2011-12-10")))
		got, s := r.train(r.request("l.parquet", list))
		r.check(got, "ZRH | LHR | 2011-12-09 00:00:00 | 1.0 | 2.0", "LHR | ZRH | 2011-12-10 00:00:00 | 2.0 | 3.0")
		if len(s.Views) != 2 || s.Views[1].Keys[0] != "destination" {
			r.Errorf("summary %+v", s.Views)
		}
	})
}

func TestAViewWithoutEntitiesMatchesEveryLabel(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("event TIMESTAMP | rate DOUBLE",
			"2011-12-08 | 1", "2011-12-09 | 2", "2011-12-09 | 3", "2011-12-10 | 4"))
		v := view(source_("s.parquet"), nil, []string{"rate float64"})
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-07", "NULL | 2011-12-08 01:00", "3 | 2011-12-09", "4 | 2011-12-11")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got, "1 | 2011-12-07 00:00:00 | NULL", "NULL | 2011-12-08 01:00:00 | 1.0", "3 | 2011-12-09 00:00:00 | 3.0", "4 | 2011-12-11 00:00:00 | 4.0")
		r.checkAsOf(v, 12*time.Hour, "2011-12-09T00:00:00Z | 3")
		r.checkAsOf(v, -96*time.Hour)
	})
}

func TestAStaticViewHoldsForAllTime(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | name VARCHAR", "1 | one", "2 | two", "2 | zwei", "NULL | none"))
		src := fstore.Source{Name: "s", Path: "s.parquet"}
		v := view(src, []string{"k int64"}, []string{"name string"})
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 1900-01-01", "2 | 2011-12-09", "3 | 2011-12-09", "NULL | 2011-12-09")))
		got, s := r.train(r.request("l.parquet", all(v)))
		r.check(got, "1 | 1900-01-01 00:00:00 | one", "2 | 2011-12-09 00:00:00 | zwei", "3 | 2011-12-09 00:00:00 | NULL", "NULL | 2011-12-09 00:00:00 | NULL")
		if len(s.Continuous) != 0 {
			r.Errorf("a static view has no schedule to miss: %v", s.Continuous)
		}
		r.checkAsOf(v, -100*366*24*time.Hour, "1 | NULL | one", "2 | NULL | zwei")
	})
}

func TestSeveralViewsAtOnce(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("a.parquet", values("k BIGINT | event TIMESTAMP | x_y BIGINT", "1 | 2011-12-09 | 9007199254740993", "2 | 2011-12-09 | NULL"))
		r.write("b.parquet", values("j VARCHAR | event TIMESTAMP | x BIGINT | y BIGINT", "a | 2011-12-08 | 1 | 2"))
		a := view(source_("a.parquet"), []string{"k int64"}, []string{"x_y int64"})
		b := view(source_("b.parquet"), []string{"j string"}, []string{"x int64", "y int64"})
		b.Ref.Name, b.View.Name = "w", "w"
		r.write("l.parquet", labels(values("k BIGINT | j VARCHAR | t TIMESTAMP", "1 | a | 2011-12-10", "2 | b | 2011-12-10", "1 | a | 2011-12-08")))
		got, _ := r.train(r.request("l.parquet", all(b, a)))
		r.check(got,
			"1 | a | 2011-12-10 00:00:00 | 1 | 2 | 9007199254740993",
			"2 | b | 2011-12-10 00:00:00 | NULL | NULL | NULL",
			"1 | a | 2011-12-08 00:00:00 | 1 | 2 | NULL")
	})
}

func TestRowsCreatedAfterTheKnowledgeCutDoNotExist(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | x BIGINT",
			"1 | 2011-12-01 | 2011-12-01 | 10", "1 | 2011-12-01 | 2011-12-05 | 11", "1 | 2011-12-02 | NULL | 12"))
		src := source_("s.parquet")
		src.Created = "created"
		plain := view(src, []string{"k int64"}, []string{"x int64"})
		sql := query("SELECT k, event, max(x) OVER (PARTITION BY k ORDER BY event) AS y FROM s", []string{"k int64"}, []string{"y int64"}, src)
		sql.Ref.Name = "w"
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-01 12:00", "1 | 2011-12-10")))
		req := r.request("l.parquet", all(plain, sql))
		got, _ := r.train(req)
		r.check(got, "1 | 2011-12-01 12:00:00 | 11 | 11", "1 | 2011-12-10 00:00:00 | 12 | 12")
		for cutoff, want := range map[string]string{"2011-12-05": "11 | 11", "2011-12-04": "10 | 10"} {
			at, _ := fstore.ParseTime(cutoff)
			req.AsOf = &at
			got, _ = r.train(req)
			r.check(got[:1], "1 | 2011-12-01 12:00:00 | "+want)
		}
	})
}

func TestAFeatureNamedLikeALabelColumnIsAnError(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | X BIGINT", "1 | 2011-12-01 | 10"))
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP | x BIGINT", "1 | 2011-12-10 | 1"))
	src := source_("s.parquet")
	src.Rename = map[string]string{"X": "x"}
	_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(view(src, []string{"k int64"}, []string{"x int64"}))))
	r.fails(err, "feature x", "label column", "as: x_feature")
	if left, _ := filepath.Glob(filepath.Join(r.dir, "*out*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
