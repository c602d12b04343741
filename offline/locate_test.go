package offline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// Whatever thread meets a value that does not fit first: the value, the file and the row that are named are those of the
// first one in the data, each time and whoever asks.
func TestAMisfitIsNamedFromOnePlace(t *testing.T) {
	const head = "SELECT i AS k, TIMESTAMP '2011-12-01' AS event, "
	for _, c := range []struct{ what, a, b, declared, want string }{
		{"one type", "[1.0, 5.5, 2.5][i]", "[1.0, 1.5, 3.5][i]", "int64", "column x: 5.5 is not an int64, in %s/s/a.parquet row 2"},
		{"two types", "[1.00, 1.10, 2.50][i]::DECIMAL(10,2)", "0.3::DOUBLE", "int64", "column x: 1.10 is not an int64, in %s/s/a.parquet row 2"},
		{"the second file", "i::BIGINT", "[1.0, 1.5, 3.5][i]", "int32", "column x: 1.5 is not an int32, in %s/s/b.parquet row 2"},
		{"too great", "[1, 3000000000, 3][i]::BIGINT", "[1, 2, 4000000000][i]::BIGINT", "int32", "column x: 3000000000 is not an int32, in %s/s/a.parquet row 2"},
		{"an element", "[[1.0], [2.0, 7.5, 8.5], [9.5]][i]", "[9.5]", "list<int64>", "column x: 7.5 is not a list<int64>, in %s/s/a.parquet row 2"},
		{"a null element", "[[1.0], [2.0, NULL, 8.5], [9.5]][i]", "[9.5]", "list<int64>", "column x: a list with a null element is not a list<int64>, in %s/s/a.parquet row 2"},
		{"another column", "i", "i", "int64", "column y: 0.25 is not an int64, in %s/s/a.parquet row 1"},
	} {
		for _, threads := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d threads", c.what, threads), func(t *testing.T) {
				r := newRepo(t, threads)
				y := "i"
				if c.what == "another column" {
					y = "i / 4"
				}
				r.write("s/a.parquet", head+c.a+" AS x, "+y+" AS y FROM range(1, 4) t(i)")
				r.write("s/b.parquet", head+c.b+" AS x, "+y+" AS y FROM range(1, 4) t(i)")
				src, want := source_("s/*.parquet"), fmt.Sprintf(c.want, r.dir)
				of := view(src, []string{"k int64"}, []string{"x " + c.declared, "y int64"})
				for range 3 {
					_, err := r.asOf(of, day)
					r.fails(err, "view v@1, "+want)
					_, err = r.e.Query(t.Context(), QueryRequest{View: of, Limit: 10})
					r.fails(err, "view v@1, "+want)
				}
				above := query("SELECT k, event, x, y FROM low", []string{"k int64"}, []string{"x " + c.declared, "y int64"}, src)
				low := of.View
				low.Name = "low"
				above.Views = []fstore.View{low}
				_, err := r.asOf(above, day)
				r.fails(err, "view low, "+want)
			})
		}
	}
}

// What SQL reads of a source in one type is looked for in the same way, by a view and by query.
func TestAMisfitOfSQLIsNamedFromOnePlace(t *testing.T) {
	r := newRepo(t, 4)
	r.write("s/a.parquet", "SELECT i AS k, TIMESTAMP '2011-12-01' AS event, 9007199254740992 + i AS x FROM range(0, 4) t(i)")
	r.write("s/b.parquet", "SELECT i AS k, TIMESTAMP '2011-12-01' AS event, 7.5::DOUBLE AS x FROM range(0, 4) t(i)")
	src := source_("s/*.parquet")
	want := fmt.Sprintf("source s, column x: 9007199254740993 is not a DOUBLE, as which SQL reads the column, in %s/s/a.parquet row 2", r.dir)
	_, err := r.asOf(query("SELECT k, event, x FROM s", []string{"k int64"}, []string{"x float64"}, src), day)
	r.fails(err, want)
	for _, req := range []QueryRequest{{Source: &src, Limit: 1}, {SQL: Labels{SQL: "SELECT max(x) AS x FROM s", Sources: []fstore.Source{src}}, Limit: 1}} {
		_, err := r.e.Query(t.Context(), req)
		r.fails(err, want)
		var e *fstore.Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("no hint: %v", err)
		}
	}
	// A query's row is named by its key, whichever was computed first.
	for range 3 {
		_, err = r.asOf(query("SELECT k, event, k + 0.5 AS x FROM s", []string{"k int64"}, []string{"x int64"}, src), day)
		r.fails(err, "view v@1, column x: 0.5 is not an int64, in the row of k 0")
	}
}

// The hint for a folder is a pattern that has its files.
func TestTheHintForAFolderMatches(t *testing.T) {
	for _, file := range []string{"s/a.parquet", "s/store=7/a.parquet", "s/year=2011/month=12/a.parquet"} {
		r := newRepo(t, 1)
		r.write(file, "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 7 AS x")
		_, err := r.e.Files(t.Context(), "s")
		var e *fstore.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		pattern, ok := strings.CutPrefix(e.Hint, "write ")
		found, err := r.e.Files(t.Context(), pattern)
		if !ok || err != nil || len(found) != 1 {
			t.Errorf("%s: %q has %v, %v", file, e.Hint, found, err)
		}
	}
}

// A time column without a type is called what it is.
func TestATimeOfLabelsWithoutType(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 7 AS x")
	content, err := os.ReadFile("testdata/untyped/rows2.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "l.parquet"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
	req := r.request("l.parquet", all(v))
	req.Timestamp = "k"
	_, err = r.e.TrainingSet(t.Context(), req)
	r.fails(err, "labels: column k has no type: every value in it is null")
}
