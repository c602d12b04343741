package offline

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
	"github.com/google/go-cmp/cmp"
)

// driftOf compares a file with statistics.parquet, whose columns are named and typed.
func (r *repo) driftOf(req ColumnsRequest, by drift.Period, fields ...fstore.Field) (*drift.Comparison, error) {
	r.Helper()
	statistics := r.statisticsOfFile()
	var columns []drift.Column
	for _, f := range fields {
		s := statistics[f.Name]
		columns = append(columns, drift.Column{Name: f.Name, Role: drift.RoleFeature, Type: f.Type, Statistics: &s})
	}
	counter, err := drift.NewCounter(columns, req.Timestamp, by)
	if err != nil {
		r.Fatal(err)
	}
	req.Columns, req.Nulls = counter.Wanted()
	reader, err := r.e.Columns(r.Context(), req)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if err := reader.Each(r.Context(), counter.Add); err != nil {
		return nil, err
	}
	return counter.Compare(drift.Options{MinRows: drift.DefaultMinRows, ShareLimit: drift.DefaultShareLimit}), nil
}

func score(f *drift.Feature, name drift.CheckName) (c drift.Check) {
	for _, c = range f.Checks {
		if c.Name == name {
			return c
		}
	}
	return drift.Check{}
}

// TestDriftOfRealDataIsWithinItsBounds compares months of a shop with each other, and loans of two halves of a year. The exact
// distances of the rows, as the engine computes them, lie between the bounds; the tails are heavy.
func TestDriftOfRealDataIsWithinItsBounds(t *testing.T) {
	data := os.Getenv("FSTORE_EXAMPLE_DATA")
	if data == "" {
		t.Skip("FSTORE_EXAMPLE_DATA names no folder with the example data")
	}
	r := newRepo(t, 2)
	lines := func(month string) string {
		return "SELECT quantity, unit_price, country, customer_id, description FROM " + text(filepath.Join(data, "online_retail/lines", month+".parquet"))
	}
	loans := func(from, to string) string {
		return "SELECT person_income, loan_amnt, loan_int_rate, person_home_ownership FROM " + text(filepath.Join(data, "credit/loan_table.parquet")) +
			" WHERE event_timestamp >= TIMESTAMPTZ '" + from + "' AND event_timestamp < TIMESTAMPTZ '" + to + "'"
	}
	number := func(name string) fstore.Field { return fstore.Field{Name: name, Type: fstore.Float64} }
	category := func(name string) fstore.Field { return fstore.Field{Name: name, Type: fstore.String} }
	for _, c := range []struct {
		name, reference, current string
		fields                   []fstore.Field
	}{
		{"the same month", lines("2011-06"), lines("2011-06"), []fstore.Field{number("quantity"), number("unit_price"), category("country")}},
		{"the next month", lines("2011-06"), lines("2011-07"), []fstore.Field{number("quantity"), number("unit_price"), category("country")}},
		{"Christmas", lines("2010-12"), lines("2011-06"), []fstore.Field{number("quantity"), number("unit_price"), category("country"), number("customer_id")}},
		{"loans", loans("2020-08-01", "2021-02-01"), loans("2021-02-01", "2021-09-01"), []fstore.Field{number("person_income"), number("loan_amnt"), number("loan_int_rate"), category("person_home_ownership")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &repo{t, r.e, r.dir}
			r.write("statistics.parquet", c.reference)
			r.write("current.parquet", c.current)
			out, err := r.driftOf(ColumnsRequest{Path: "current.parquet"}, drift.Whole, c.fields...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range out.Features {
				f := &out.Features[i]
				t.Logf("%s: %s: %s", f.Name, f.Verdict, f.Reason)
				if c.reference == c.current && (f.Verdict != drift.Stable || *score(f, drift.CheckPSI).Value != 0) {
					t.Errorf("%s drifted from itself: %+v", f.Name, f.Checks)
				}
				if f.Kind == stats.Numbers {
					r.checkDistances(f)
				}
			}
		})
	}
}

// checkDistances holds KS and Wasserstein of a column to those of the rows.
func (r *repo) checkDistances(f *drift.Feature) {
	r.Helper()
	from := func(file string) string { return text(filepath.Join(r.dir, file)) }
	rows, err := r.rowsOf(fmt.Sprintf(`SELECT max(abs(f - g))::DOUBLE, sum((nx - x) * abs(f - g))::DOUBLE, (SELECT stddev_pop(%[1]s)::DOUBLE FROM %[2]s)
FROM (
  SELECT x, sum(p) OVER (ORDER BY x) AS f, sum(q) OVER (ORDER BY x) AS g, lead(x) OVER (ORDER BY x) AS nx
  FROM (
    SELECT x, sum(p) AS p, sum(q) AS q
    FROM (
      SELECT %[1]s::DOUBLE AS x, 1 / (SELECT count(%[1]s) FROM %[2]s) AS p, 0 AS q FROM %[2]s
      UNION ALL
      SELECT %[1]s::DOUBLE, 0, 1 / (SELECT count(%[1]s) FROM %[3]s) FROM %[3]s
    )
    WHERE x IS NOT NULL
    GROUP BY x
  )
)`, ident(f.Name), from("statistics.parquet"), from("current.parquet")))
	if err != nil {
		r.Fatal(err)
	}
	var exact [3]float64
	for i := range exact {
		if _, err := fmt.Sscan(rows[0][i], &exact[i]); err != nil {
			r.Fatal(err)
		}
	}
	for i, name := range []drift.CheckName{drift.CheckKS, drift.CheckWasserstein} {
		c, want := score(f, name), exact[i]
		if i == 1 {
			want /= exact[2]
		}
		least, most := *c.Value, *c.Value
		if c.AtMost != nil {
			most = *c.AtMost
		}
		if want < least-1e-6 || want > most+1e-6 {
			r.Errorf("%s of %s: %v of the rows, not in [%v, %v]", name, f.Name, want, least, most)
		}
		if name == drift.CheckWasserstein && math.Abs(want-least) > 0.02 {
			r.Errorf("Wasserstein of %s: %v from the bins, %v of the rows", f.Name, least, want)
		}
		r.Logf("%s of %s: %.4f of the rows, in [%.4f, %.4f]", name, f.Name, want, least, most)
	}
}

// TestColumnsAreRead reads a file with other types than the reference, in a window.
func TestColumnsAreRead(t *testing.T) {
	r := newRepo(t, 2)
	r.write("f.parquet", `SELECT TIMESTAMP '2025-01-01' + to_days(i) AS t, i::UTINYINT AS small, (i / 4)::DECIMAL(9, 2) AS d, i::HUGEINT AS huge,
  ['a', 'b'][1 + i % 2]::ENUM('a', 'b') AS e, [i, NULL]::INTEGER[] AS l, CASE WHEN i > 7 THEN {'x': i} END AS s
FROM range(10) r(i)`)
	to := time.Date(2025, 1, 9, 0, 0, 0, 0, time.UTC)
	reader, err := r.e.Columns(t.Context(), ColumnsRequest{
		Path: "f.parquet", Timestamp: "t", Required: true, To: &to, Window: 48 * time.Hour, Nulls: []string{"s", "nope"},
		Columns: []fstore.Field{{Name: "small", Type: fstore.Float64}, {Name: "d", Type: fstore.Float64}, {Name: "huge", Type: fstore.Int64}, {Name: "e", Type: fstore.String}, {Name: "l", Type: fstore.List(fstore.Float64)}, {Name: "absent", Type: fstore.Bool}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got := map[string]string{}
	if err := reader.Each(t.Context(), func(b *fstore.Batch) error {
		for i := range b.Columns {
			got[b.Columns[i].Name] += string(b.Columns[i].AppendValuesJSON(nil))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"small": "[7,8]", "d": "[1.75,2]", "huge": "[7,8]", "e": `["b","a"]`, "l": `[[7,"NaN"],[8,"NaN"]]`, "s": "[null,true]",
		"t": `["2025-01-08T00:00:00Z","2025-01-09T00:00:00Z"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !reader.From.Equal(to.AddDate(0, 0, -2)) || !reader.To.Equal(to) {
		t.Errorf("from %v to %v", reader.From, reader.To)
	}
	for _, c := range []struct {
		req  ColumnsRequest
		want string
	}{
		{ColumnsRequest{Path: "f.parquet", Columns: []fstore.Field{{Name: "e", Type: fstore.Float64}}}, "but the reference has a float64"},
		{ColumnsRequest{Path: "f.parquet", Columns: []fstore.Field{{Name: "d", Type: fstore.String}}}, "column d is DECIMAL(9,2), but the reference has a string"},
		{ColumnsRequest{Path: "f.parquet", Timestamp: "nope", Required: true}, "there is no column nope"},
		{ColumnsRequest{Path: "f.parquet", Timestamp: "d"}, "column d is DECIMAL(9,2), not a time"},
	} {
		_, err := r.e.Columns(t.Context(), c.req)
		r.fails(err, c.want)
	}
}
