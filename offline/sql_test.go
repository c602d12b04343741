package offline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

func TestParseSQLGivesTheTreeOfOneStatement(t *testing.T) {
	r := newRepo(t, 1)
	for _, sql := range []string{"SELECT 'it''s' AS x", "FROM t SELECT a;", "WITH a AS (SELECT 1) SELECT * FROM a -- end", "VALUES (1)"} {
		tree, err := r.e.ParseSQL(t.Context(), sql)
		if err != nil || !strings.Contains(string(tree), `"statements"`) {
			t.Errorf("%s: %s, %v", sql, tree, err)
		}
	}
	for sql, at := range map[string]string{
		"SELECT 'äöü' FROM t LIMIT 1 2": "2",
		"SELEC 1":                       "SELEC",
	} {
		_, err := r.e.ParseSQL(t.Context(), sql)
		checkOffset(t, err, sql, strings.Index(sql, at))
	}
	_, err := r.e.ParseSQL(t.Context(), "SELECT (")
	checkOffset(t, err, "SELECT (", 8)
	for _, sql := range []string{"", "-- nothing", "SELECT 1; SELECT 2", "INSERT INTO t VALUES (1)", "DROP TABLE t", "COPY t TO 'x'"} {
		_, err := r.e.ParseSQL(t.Context(), sql)
		var e *fstore.SQLError
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

func checkOffset(t *testing.T, err error, sql string, want int) {
	t.Helper()
	var e *fstore.SQLError
	if !errors.As(err, &e) || !errors.Is(err, fstore.ErrDefinition) {
		t.Fatalf("%s: %v", sql, err)
	}
	if e.Offset != want {
		t.Errorf("%s: offset %d, want %d: %v", sql, e.Offset, want, err)
	}
}

func TestBindSQLGivesTheColumnsOfAQueryOverNothing(t *testing.T) {
	r := newRepo(t, 1)
	inputs := []fstore.Relation{
		{Name: "lines", Columns: []fstore.EngineColumn{
			{Name: "Customer ID", Type: "BIGINT"},
			{Name: "event", Type: "TIMESTAMP"},
			{Name: "price", Type: "DECIMAL(18,2)"},
			{Name: "tags", Type: "VARCHAR[]"},
			{Name: "v", Type: "FLOAT[3]"},
			{Name: "e", Type: "ENUM('a', 'b')"},
			{Name: "s", Type: "STRUCT(a INTEGER)"},
		}},
		{Name: "select", Columns: []fstore.EngineColumn{{Name: "x", Type: "HUGEINT"}}},
	}
	got, err := r.e.BindSQL(t.Context(), `SELECT "Customer ID" AS id, event, sum(price) OVER () AS total, tags, v, e, exact_sum(price) OVER_ FROM lines GROUP BY ALL; -- end`, inputs)
	if err == nil {
		t.Errorf("a window beside an aggregate: %v", got)
	}
	got, err = r.e.BindSQL(t.Context(), `SELECT "Customer ID" AS id, event, exact_sum(price) AS total, max(x) AS x, sum(x) AS y FROM lines, "select" GROUP BY ALL -- end`, inputs)
	if err != nil {
		t.Fatal(err)
	}
	want := []fstore.EngineColumn{{Name: "id", Type: "BIGINT"}, {Name: "event", Type: "TIMESTAMP"}, {Name: "total", Type: "DOUBLE"}, {Name: "x", Type: "HUGEINT"}, {Name: "y", Type: "HUGEINT"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sql := "SELECT 'ü' AS a,\n  nowhere\nFROM lines"
	_, err = r.e.BindSQL(t.Context(), sql, inputs)
	checkOffset(t, err, sql, strings.Index(sql, "nowhere"))
	sql = "SELECT *\nFROM other"
	_, err = r.e.BindSQL(t.Context(), sql, inputs)
	checkOffset(t, err, sql, strings.Index(sql, "other"))
	sql = "SELECT 'äöü', price FROM lines LIMIT 1 2"
	_, err = r.e.BindSQL(t.Context(), sql, inputs)
	checkOffset(t, err, sql, strings.Index(sql, "2"))
	sql = "SELECT price + tags FROM lines"
	_, err = r.e.BindSQL(t.Context(), sql, inputs)
	checkOffset(t, err, sql, strings.Index(sql, "+"))
}

func TestSQLReadsSourcesAndViewsByName(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("lines.parquet", values("K BIGINT | event TIMESTAMP | price DECIMAL(10,2) | n INTEGER",
			"1 | 2011-12-01 | 1.50 | 2", "1 | 2011-12-02 | 2.25 | 4", "2 | 2011-12-03 | 1.00 | 1"))
		src := source_("lines.parquet")
		src.Name, src.Rename = "lines", map[string]string{"K": "k"}
		// A view by SQL over a source and over two views, of which one renames and converts.
		up := fstore.View{
			Name: "totals", Keys: []fstore.Field{fields("k int64")}, Source: "lines", Event: "event",
			Features: []fstore.Feature{{Name: "total", Type: fstore.Float64, Column: "price"}, {Name: "count", Type: fstore.Int64, Column: "n"}},
		}
		mid := fstore.View{
			Name: "running", Keys: up.Keys, SQL: "SELECT k, event AS seen_at, total * count AS value, NULL::DOUBLE AS none FROM totals -- comment;", Event: "seen_at",
			Features: []fstore.Feature{{Name: "worth", Type: fstore.Float64, Column: "value"}},
		}
		v := query("SELECT running.k, seen_at AS event, exact_sum(worth) AS worth, (SELECT count(*) FROM lines) AS lines\nFROM running JOIN totals ON running.k = totals.k AND seen_at = totals.event\nGROUP BY running.k, seen_at;",
			[]string{"k int64"}, []string{"worth float64", "lines int32"}, src)
		v.Views = []fstore.View{up, mid}
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-01", "1 | 2011-12-09", "2 | 2011-12-09")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got, "1 | 2011-12-01 00:00:00 | 3.0 | 3", "1 | 2011-12-09 00:00:00 | 9.0 | 3", "2 | 2011-12-09 00:00:00 | 1.0 | 3")
	})
}

func TestAsOfCutsTheSourcesOfSQLToWhatIsVisible(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | created TIMESTAMP | x BIGINT",
		"1 | 2011-12-01 | 2011-12-01 | 1", "1 | 2011-12-02 | 2011-12-05 | 2", "1 | 2011-12-03 | 2011-12-03 | 4", "2 | 2011-12-09 | NULL | 8"))
	src := source_("s.parquet")
	src.Created, src.Available = "created", fstore.Available{Created: true}
	up := fstore.View{
		Name: "u", Keys: []fstore.Field{fields("k int64")}, Source: "s", Event: "event", Created: "created", Available: src.Available,
		Features: []fstore.Feature{{Name: "x", Type: fstore.Int64, Column: "x"}},
	}
	v := query("SELECT k, max(event) AS event, sum(x) AS total, count(*) AS n FROM u GROUP BY k", []string{"k int64"}, []string{"total int64", "n int64"}, src)
	v.Views = []fstore.View{up}
	for p, want := range map[int][]string{
		-9: nil,
		-8: {"1 | 2011-12-01T00:00:00Z | 1 | 1"},
		-6: {"1 | 2011-12-03T00:00:00Z | 2 | 5"},
		-4: {"1 | 2011-12-03T00:00:00Z | 3 | 7"},
		0:  {"1 | 2011-12-03T00:00:00Z | 3 | 7", "2 | 2011-12-09T00:00:00Z | 1 | 8"},
	} {
		r.checkAsOf(v, time.Duration(p)*24*time.Hour, want...)
	}
}

func TestTwoVersionsOfAViewReadTheirOwnSources(t *testing.T) {
	r := newRepo(t, 2)
	r.write("old.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 1"))
	r.write("new.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 2"))
	v1 := query("SELECT * FROM s", []string{"k int64"}, []string{"x int64"}, source_("old.parquet"))
	v2 := query("SELECT k, event, x * 10 AS x FROM s", []string{"k int64"}, []string{"x int64"}, source_("new.parquet"))
	v2.Ref.Version = 2
	list := all(v1, v2)
	list.Outputs[1] = fstore.FeatureOutput{As: "x2", Use: 1, Feature: "x"}
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-09"))
	got, _ := r.train(r.request("l.parquet", list))
	r.check(got, "1 | 2011-12-09 00:00:00 | 1 | 20")
}

func TestExactSumsHaveTheSameBitsInAnyOrder(t *testing.T) {
	sums := map[string]bool{}
	for _, threads := range []int{1, 4} {
		r := newRepo(t, threads)
		r.write("a.parquet", "SELECT i % 7 AS g, sin(i) * 1e6 AS x FROM range(200000) t(i)")
		r.write("b.parquet", "SELECT i % 7 AS g, sin(i) * 1e6 AS x FROM range(200000) t(i) ORDER BY hash(i)")
		for _, name := range []string{"a", "b"} {
			s, err := r.e.isolated(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.query(t.Context(), "SELECT g, exact_sum(x)::VARCHAR, exact_avg(x)::VARCHAR FROM read_parquet("+text(r.dir+"/"+name+".parquet")+") GROUP BY g ORDER BY g")
			s.close()
			if err != nil {
				t.Fatal(err)
			}
			sums[strings.Join(strings.Fields(strings.Trim(strings.Join(flatten(boxed(b)), " "), " ")), " ")] = true
		}
	}
	if len(sums) != 1 {
		t.Errorf("%d different results", len(sums))
	}
}

func flatten(rows [][]string) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

func TestExactSumOfAwkwardValues(t *testing.T) {
	r := newRepo(t, 1)
	s, err := r.e.isolated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for values, want := range map[string][2]string{
		"(0.1), (0.2), (0.3)":                       {"0.6", "0.19999999999999998"},
		"(1e20), (1), (-1e20)":                      {"1.0", "0.3333333333333333"},
		"(NULL), (2.5)":                             {"2.5", "2.5"},
		"(NULL::DOUBLE)":                            {"NULL", "NULL"},
		"('nan'::DOUBLE), (1)":                      {"nan", "nan"},
		"('inf'::DOUBLE), (1)":                      {"inf", "inf"},
		"('-inf'::DOUBLE), (1)":                     {"-inf", "-inf"},
		"('-inf'::DOUBLE), ('inf'::DOUBLE)":         {"nan", "nan"},
		"('-inf'::DOUBLE), (NULL), ('nan'::DOUBLE)": {"nan", "nan"},
		"(-1.5)":                     {"-1.5", "-1.5"},
		"(1::BIGINT), (2)":           {"3.0", "1.5"},
		"(1.25::DECIMAL(10,2)), (2)": {"3.25", "1.625"},
		"(-0.0::DOUBLE)":             {"0.0", "0.0"},
		"(1e20), (1e20), (-1e20)":    {"1e+20", "3.333333333333333e+19"}, // also where a sum on the way is beyond the range
		"(-1e20), (-1e20), (1e20)":   {"-1e+20", "-3.333333333333333e+19"},
		"(16), (-15.75), (1e-3)":     {"0.251", "0.08366666666666667"},
		"(1e19), (1e-17), (-1e19)":   {"1.0408340855860843e-17", "3.469446951953614e-18"},
	} {
		b, err := s.query(t.Context(), "SELECT exact_sum(x)::VARCHAR, exact_avg(x)::VARCHAR FROM (VALUES "+values+") t(x)")
		if err != nil {
			t.Errorf("%s: %v", values, err)
			continue
		}
		if diff := cmp.Diff(want[:], boxed(b)[0]); diff != "" {
			t.Errorf("%s: %s", values, diff)
		}
	}
	b, err := s.query(t.Context(), "SELECT exact_sum(x)::VARCHAR FROM (SELECT 1.5::DOUBLE AS x WHERE false)")
	if err != nil || boxed(b)[0][0] != "NULL" {
		t.Errorf("of nothing: %v, %v", b, err)
	}
	_, err = s.query(t.Context(), "SELECT exact_sum(x) FROM (VALUES (1e21)) t(x)")
	r.fails(err, "exact_sum: a value is 2^67")
	if _, err := s.query(t.Context(), "SELECT exact_sum(x) FROM (SELECT 1e20 AS x FROM range(2))"); err == nil {
		t.Error("a sum beyond the range is given")
	}
}
