package offline

import (
	"testing"
	"time"
)

func TestBoundsAreInclusive(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE",
			"1 | 2011-12-09 12:00:00 | 1.5"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64"})
		ttl := fstoreDuration(time.Hour)
		v.View.TTL = &ttl
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
		rows, err := r.asOf(v, day.Add(13*time.Hour))
		if err != nil {
			r.Fatal(err)
		}
		r.check(rows, "1 | 2011-12-09T12:00:00Z | 1.5")
	})
}
