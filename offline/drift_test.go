package offline

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// What pandas writes of one table on several days: an integer column that is DOUBLE because a value is missing, a column
// without a type because all are, and an empty frame without any types.
func TestWhatPandasMakesOfATableOnSeveralDays(t *testing.T) {
	r := newRepo(t, 2)
	if err := os.CopyFS(filepath.Join(r.dir, "s"), os.DirFS("testdata/pandas")); err != nil {
		t.Fatal(err)
	}
	src := source_("s/*.parquet")
	want := []string{
		"1 | 2011-12-01T00:00:00Z | [1] | 7 | a", "2 | 2011-12-01T00:00:00Z | [2] | 8 | b",
		"3 | 2011-12-01T00:00:00Z | [] | 9 | NULL", "4 | 2011-12-01T00:00:00Z | [] | NULL | NULL",
	}
	features := []string{"l list<int64>", "n int64", "s string"}
	r.checkAsOf(view(src, []string{"k int64"}, features), 0, want...)
	r.checkAsOf(query("SELECT * FROM s", []string{"k int64"}, features, src), 0, want...)
	columns, err := r.e.SourceColumns(t.Context(), &src)
	if err != nil {
		t.Fatal(err)
	}
	for i, typ := range []string{"BIGINT", "TIMESTAMP", "BIGINT", "VARCHAR", "BIGINT[]"} {
		if columns[i].Type != typ {
			t.Errorf("SQL sees %s as %s, want %s", columns[i].Name, columns[i].Type, typ)
		}
	}
	if err := os.Remove(filepath.Join(r.dir, "s", "1.parquet")); err != nil {
		t.Fatal(err)
	}
	r.checkAsOf(view(src, []string{"k int64"}, []string{"s list<timestamp>", "n int32"}), 0, "3 | 2011-12-01T00:00:00Z | 9 | NULL", "4 | 2011-12-01T00:00:00Z | NULL | NULL")
}

// Whether floats beside integers are integers too is for their values to say.
func TestFloatsBesideIntegersInSQL(t *testing.T) {
	for _, c := range []struct{ a, b, typ, want, wrong string }{
		{"9007199254740993::BIGINT", "7::DOUBLE", "BIGINT", "9007199254740993", ""},
		{"9007199254740993::BIGINT", "NULL::DOUBLE", "BIGINT", "9007199254740993", ""},
		{"9007199254740993::BIGINT", "7::FLOAT", "BIGINT", "9007199254740993", ""},
		{"18446744073709551615::UBIGINT", "-7::DOUBLE", "HUGEINT", "18446744073709551615", ""},
		{"9007199254740992::BIGINT", "7.5::DOUBLE", "DOUBLE", "9007199254740992.0", ""},
		{"9007199254740993::BIGINT", "7.5::DOUBLE", "DOUBLE", "", "source s, column x: 9007199254740993 is not a DOUBLE, as which SQL reads the column, in "},
		{"7::INTEGER", "7::DOUBLE", "DOUBLE", "7.0", ""},
		{"16777217::INTEGER", "7::FLOAT", "DOUBLE", "16777217.0", ""},
		{"1.25::DECIMAL(10,2)", "7::DOUBLE", "DOUBLE", "1.25", ""},
		{"1.25::DECIMAL(10,2)", "9007199254740993::BIGINT", "DECIMAL(21,2)", "1.25", ""},
		{"TIMESTAMP '2500-01-01'", "TIMESTAMP_NS '2011-12-01'", "TIMESTAMP_NS", "", "source s, column x: 2500-01-01 00:00:00 is not a TIMESTAMP_NS"},
		{"[9007199254740993]::BIGINT[]", "[7]::DOUBLE[]", "DOUBLE[]", "", "source s, column x: [9007199254740993] is not a DOUBLE[]"},
		{"'5a3f1d6e-0000-4000-8000-00000000000f'::UUID", "'a'", "VARCHAR", "5a3f1d6e-0000-4000-8000-00000000000f", ""},
	} {
		t.Run(c.a+" and "+c.b, func(t *testing.T) {
			r := newRepo(t, 1)
			r.write("s/1.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, "+c.a+" AS x")
			r.write("s/2.parquet", "SELECT 2 AS k, TIMESTAMP '2011-12-01' AS event, "+c.b+" AS x")
			columns, rows, err := r.source(source_("s/*.parquet"))
			if got := columns[2].Type; got != c.typ {
				t.Errorf("SQL sees %s, want %s", got, c.typ)
			}
			switch {
			case c.wrong != "":
				r.fails(err, c.wrong, "s/1.parquet row 1")
			case err != nil:
				t.Error(err)
			default:
				r.check(rows[:1], "1 | 2011-12-01 00:00:00 | "+c.want)
			}
		})
	}
}

// drifting are the types in which a file may have a number, and whether it has the value of so many halves.
var drifting = map[string]func(halves int) bool{
	"TINYINT": func(n int) bool { return n%2 == 0 && n >= -256 && n < 256 }, "INTEGER": even, "BIGINT": even, "HUGEINT": even,
	"UBIGINT":       func(n int) bool { return n%2 == 0 && n >= 0 },
	"DECIMAL(18,2)": always, "FLOAT": always, "DOUBLE": always,
}

func even(n int) bool { return n%2 == 0 }
func always(int) bool { return true }

// Files in any types: each value comes out as if it were alone, or the error names a file with one that does not fit.
func TestEveryFileConvertsByItself(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 12))
	r := newRepo(t, 2)
	types := slices.Sorted(maps.Keys(drifting))
	for round := range 60 {
		dir := fmt.Sprintf("s%d", round)
		declared := []string{"int32", "int64", "float32", "float64"}[random.IntN(4)]
		var want, misfits []string
		k := 0
		for file := range 1 + random.IntN(4) {
			typ := types[random.IntN(len(types))]
			rows := []string{}
			for range random.IntN(4) {
				halves := random.IntN(601) - 300
				if random.IntN(3) > 0 {
					halves &^= 1
				}
				if !drifting[typ](halves) {
					continue
				}
				k++
				number := fmt.Sprintf("%g", float64(halves)/2)
				rows = append(rows, fmt.Sprintf("%d | 2011-12-01 | %s | %d", k, number, k))
				if halves%2 != 0 && strings.HasPrefix(declared, "int") {
					misfits = append(misfits, fmt.Sprintf("%s/%d.parquet row %d", dir, file, len(rows)))
				}
				want = append(want, fmt.Sprintf("%d | 2011-12-01T00:00:00Z | %s", k, number))
			}
			unused := []string{"VARCHAR", "DOUBLE", "INTEGER[]"}[random.IntN(3)] // of no matter
			r.write(fmt.Sprintf("%s/%d.parquet", dir, file), "SELECT *, NULL::"+unused+" AS unused FROM ("+values("k INTEGER | event TIMESTAMP | x "+typ+" | z BIGINT", rows...)+")")
		}
		src := source_(dir + "/*.parquet")
		if declared == "float32" && strings.Contains(columnTypes(r, &src), "DECIMAL") {
			continue // does not convert
		}
		for _, v := range []*fstore.ViewVersion{
			view(src, []string{"k int64"}, []string{"x " + declared}),
			query("SELECT k, event, x FROM s", []string{"k int64"}, []string{"x " + declared}, src),
		} {
			got, err := r.asOf(v, day)
			switch {
			case len(misfits) > 0 && err == nil:
				t.Errorf("round %d: no error, but %v do not fit %s: %v", round, misfits, declared, got)
			case len(misfits) > 0 && v.View.Source != "" && !strings.Contains(err.Error(), misfits[0]):
				t.Errorf("round %d: %v does not name %s", round, err, misfits[0])
			case len(misfits) == 0 && err != nil:
				t.Errorf("round %d: %v", round, err)
			case len(misfits) == 0:
				if len(got) != len(want) {
					t.Errorf("round %d: %d rows, want %d", round, len(got), len(want))
				}
				r.check(got, want...)
			}
		}
	}
}

func columnTypes(r *repo, src *fstore.Source) string {
	r.Helper()
	columns, err := r.e.SourceColumns(r.Context(), src)
	if err != nil {
		r.Fatal(err)
	}
	return fmt.Sprint(columns)
}

func TestAColumnThatFilesLack(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s/1.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT | y VARCHAR", "1 | 2011-12-01 | 10 | a"))
	for i := 2; i <= 6; i++ {
		r.write(fmt.Sprintf("s/%d.parquet", i), values("k BIGINT | event TIMESTAMP | y VARCHAR", fmt.Sprintf("%d | 2011-12-01 | b", i)))
	}
	src := source_("s/*.parquet")
	of := func(what, feature string, src fstore.Source) *fstore.ViewVersion {
		if what == "sql" {
			return query("SELECT * EXCLUDE (k), k FROM (SELECT k, event, "+strings.Fields(feature)[0]+" FROM s)", []string{"k int64"}, []string{feature}, src)
		}
		return view(src, []string{"k int64"}, []string{feature})
	}
	for _, what := range []string{"source", "sql"} {
		_, err := r.asOf(of(what, "x int64", src), day)
		r.fails(err, "source s: column x is missing from 5 of 6 files: ", "s/2.parquet", "s/4.parquet and 2 more", "optional_columns: [x]")
	}
	r.checkAsOf(view(src, []string{"k int64"}, []string{"y string"}), 0, "1 | 2011-12-01T00:00:00Z | a", "2 | 2011-12-01T00:00:00Z | b",
		"3 | 2011-12-01T00:00:00Z | b", "4 | 2011-12-01T00:00:00Z | b", "5 | 2011-12-01T00:00:00Z | b", "6 | 2011-12-01T00:00:00Z | b")
	r.checkAsOf(query("SELECT k, max(event) AS event, count(*) AS n FROM s GROUP BY k", []string{"k int64"}, []string{"n int64"}, src), 0, "1 | 2011-12-01T00:00:00Z | 1",
		"2 | 2011-12-01T00:00:00Z | 1", "3 | 2011-12-01T00:00:00Z | 1", "4 | 2011-12-01T00:00:00Z | 1", "5 | 2011-12-01T00:00:00Z | 1", "6 | 2011-12-01T00:00:00Z | 1")
	src.Optional = []string{"nowhere", "x"}
	for _, what := range []*fstore.ViewVersion{of("source", "x int64", src), query("SELECT * FROM s", []string{"k int64"}, []string{"x int64"}, src)} {
		r.checkAsOf(what, 0, "1 | 2011-12-01T00:00:00Z | 10", "2 | 2011-12-01T00:00:00Z | NULL", "3 | 2011-12-01T00:00:00Z | NULL",
			"4 | 2011-12-01T00:00:00Z | NULL", "5 | 2011-12-01T00:00:00Z | NULL", "6 | 2011-12-01T00:00:00Z | NULL")
	}
	if got, err := r.asOf(view(src, []string{"k int64"}, []string{"nowhere list<string>"}), day); err != nil || len(got) != 6 || got[0][2] != "NULL" {
		t.Errorf("got %v, %v", got, err)
	}
}

// Whatever may stand for all columns of a source uses all of them.
func TestWhatSQLUses(t *testing.T) {
	r := newRepo(t, 1)
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for sql, all := range map[string]bool{
		"SELECT a FROM s": false, "SELECT s.a FROM s": false, "SELECT count(*) FROM s": false, "SELECT a AS b FROM s GROUP BY b": false,
		"SELECT sum(a) AS total FROM s ORDER BY total": false, "SELECT x.a FROM s x JOIN s y USING (a)": false,
		"SELECT * FROM s": true, "FROM s": true, "SELECT s.* FROM s": true, "SELECT s FROM s": true, "SELECT to_json(t) FROM s t": true,
		"SELECT COLUMNS('x.*') FROM s": true, "SELECT a FROM s x NATURAL JOIN s y": true, "SELECT #1 FROM s": true, "SELECT q FROM s AS t(q)": true,
		"SELECT * EXCLUDE (a) FROM s": true, "SELECT (SELECT max(t) FROM s t) AS a": true, "WITH c AS (SELECT a FROM s) SELECT count(c) FROM c": true,
		"PIVOT s ON a IN (1, 2) USING sum(b)": true,
	} {
		u, err := s.usageOf(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if u.all != all || !u.uses("a") && strings.Contains(sql, " a") {
			t.Errorf("%s: all %v, want %v", sql, u.all, all)
		}
	}
}
