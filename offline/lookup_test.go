package offline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// countOfRows is a second form of look-up: its one feature is how many rows of the key are visible. It is complete in
// this file: nothing else knows of it.
type countOfRows struct {
	*rows
	s *session
}

func lookupCounts(ctx context.Context, s *session, v *fstore.ViewVersion, c cut) (lookup, error) {
	if v.Ref.Name != "counted" {
		return lookupOf(ctx, s, v, c)
	}
	r, err := s.rows(ctx, v, c)
	return countOfRows{r, s}, err
}

func (r countOfRows) dropped() []DroppedRows { return r.nulls }

func (r countOfRows) atSQL(u *use) (columns []string, joins string) {
	return []string{fmt.Sprintf("labels.p%d", u.number)}, ""
}

func (r countOfRows) see(ctx context.Context, u *use) error {
	asked, keys, on := []string{fmt.Sprintf("p%d AS p", u.number)}, []string{"asked.p"}, []string{"seen.visible <= asked.p"}
	for k := range u.Keys {
		asked, keys, on = append(asked, fmt.Sprintf("%s AS k%d", u.key(k), k)), append(keys, fmt.Sprintf("asked.k%d", k)), append(on, fmt.Sprintf("asked.k%d = seen.k%d", k, k))
	}
	return r.s.makeSeen(ctx, u, "SELECT "+strings.Join(keys, ", ")+", count(*) AS n\nFROM (SELECT DISTINCT "+strings.Join(asked, ", ")+" FROM _at) AS asked\nJOIN (SELECT *, "+r.visibleSQL()+
		" AS visible FROM "+r.name+") AS seen\n  ON "+and(on)+"\nGROUP BY ALL")
}

func (r countOfRows) joinSQL(u *use) string {
	return fmt.Sprintf("\nLEFT JOIN %s AS %s\n  ON ", u.table(), u.alias()) + and(append(u.sameKeys(u.alias()), fmt.Sprintf("labels.p%d = %s.p", u.number, u.alias())))
}

func (r countOfRows) featureSQL(u *use, _ string) string { return u.alias() + ".n" }

func (r countOfRows) eventSQL(u *use) string { return u.alias() + ".p" }

func (r countOfRows) countsSQL(u *use) string {
	return fmt.Sprintf("SELECT count_if(n > 0)::BIGINT, 0::BIGINT, 0::BIGINT, count_if(n IS NULL)::BIGINT, 0::BIGINT, 0::BIGINT\nFROM _at AS labels%s", r.joinSQL(u))
}

func (r countOfRows) asOf(ctx context.Context, p time.Time, yield func(*fstore.Batch) bool) error {
	keys := strings.Join(r.keys(), ", ")
	return r.s.each(ctx, "SELECT "+keys+", max(event), count(*)\nFROM "+r.name+"\nWHERE "+and(append(r.hasKey(), r.visibleSQL()+" <= "+instant(p)))+"\nGROUP BY "+keys+"\nORDER BY "+keys, yield)
}

// A second form of look-up goes through training and as-of values, beside the newest row, with no other edit: the
// summary, defaults, duplicate labels, missing keys, wide labels, the lock and a rebuild included.
func TestASecondFormOfLookup(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.e.lookups = lookupCounts
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
			"1 | 2011-12-01 | 10", "1 | 2011-12-02 | 20", "1 | 2011-12-05 | 30", "2 | 2011-12-03 | 40", "NULL | 2011-12-01 | 50", "3 | NULL | 60"))
		newest := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
		counted := view(source_("s.parquet"), []string{"k int64"}, []string{"n int64"})
		counted.Ref.Name, counted.View.Name, counted.View.Features[0].Column = "counted", "counted", "x"
		counted.View.Publish = &fstore.Publish{Every: fstore.Duration(48 * time.Hour), Offset: fstore.Duration(24 * time.Hour)} // on odd days of this month
		counted.View.Features[0].Default = value(fstore.Int64, int64(0))
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-12-01", "1 | 2011-12-02", "1 | 2011-12-03", "1 | 2011-12-06", "1 | 2011-12-06", "2 | 2011-12-06", "3 | 2011-12-06", "NULL | 2011-12-06")))
		req := r.request("l.parquet", all(newest, counted))
		got, sum := r.train(req)
		want := []string{
			"1 | 2011-12-01 00:00:00 | 10 | 1",
			"1 | 2011-12-02 00:00:00 | 20 | 1",
			"1 | 2011-12-03 00:00:00 | 20 | 2",
			"1 | 2011-12-06 00:00:00 | 30 | 3",
			"1 | 2011-12-06 00:00:00 | 30 | 3",
			"2 | 2011-12-06 00:00:00 | 40 | 1",
			"3 | 2011-12-06 00:00:00 | NULL | 0",
			"NULL | 2011-12-06 00:00:00 | NULL | 0",
		}
		r.check(got, want...)
		if c := sum.Views[1]; c.WithValue != 6 || c.WithValue+c.NoRow != sum.Rows {
			r.Errorf("summary: %+v", c)
		}
		if m := r.make(req); m.lock.Output.Rows != sum.Rows {
			r.Errorf("the lock has %d rows", m.lock.Output.Rows)
		} else if _, inputs := m.states(""); !m.rebuild(r.e, inputs).Same {
			r.Error("a rebuild comes out different")
		}
		wide := "SELECT *"
		for i := range carriedColumns {
			wide += fmt.Sprintf(", %d AS c%d", i, i)
		}
		r.write("l.parquet", wide+" FROM ("+labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-06", "2 | 2011-12-01"))+")")
		got, _ = r.train(req)
		for i, want := range []string{"30 | 3", "NULL | 0"} {
			if row := strings.Join(got[i], " | "); !strings.HasSuffix(row, want) {
				r.Errorf("of wide labels: %s, want %s", row, want)
			}
		}
		asOf := time.Date(2011, 12, 5, 0, 0, 0, 0, time.UTC)
		rows, err := r.asOf(counted, asOf)
		if err != nil {
			r.Fatal(err)
		}
		r.check(rows, "1 | 2011-12-05T00:00:00Z | 3", "2 | 2011-12-03T00:00:00Z | 1")
		if len(rows) != 2 {
			r.Errorf("as of: %v", rows)
		}
	})
}
