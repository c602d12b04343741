package offline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

// read returns the columns and rows of a source as SQL sees it.
func (r *repo) source(def fstore.Source) ([]fstore.EngineColumn, [][]string, error) {
	r.Helper()
	columns, err := r.e.SourceColumns(r.Context(), &def)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.e.session(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	src, err := s.source(r.Context(), &def)
	if err != nil {
		r.Fatal(err)
	}
	wanted, err := (&usage{all: true}).columns(src)
	if err != nil {
		return nil, nil, err
	}
	sql, err := s.sourceSQL(r.Context(), src, cut{}, wanted)
	if err != nil {
		return nil, nil, err
	}
	described, err := s.describe(r.Context(), sql)
	if err != nil {
		r.Fatal(err)
	}
	for i, c := range columns { // what files have is not for SQL
		columns[i] = fstore.EngineColumn{Name: c.Name, Type: c.Type}
	}
	if diff := cmp.Diff(columns, described); diff != "" {
		r.Errorf("the columns are not those of the query: %s", diff)
	}
	b, err := s.query(r.Context(), "SELECT COLUMNS(*)::VARCHAR FROM ("+sql+") ORDER BY ALL")
	if err != nil {
		return columns, nil, s.blame(r.Context(), err)
	}
	return columns, boxed(b), nil
}

func TestFilesOfOneSourceAreReadByColumnName(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s/1.parquet", values("k BIGINT | event TIMESTAMP | x INTEGER", "1 | 2011-12-01 | 10"))
	r.write("s/2.parquet", values("x BIGINT | y DOUBLE | event DATE | k BIGINT", "9007199254740993 | 1.5 | 2011-12-02 | 2"))
	src := source_("s/*.parquet")
	src.Optional = []string{"y"}
	columns, rows, err := r.source(src)
	if err != nil {
		t.Fatal(err)
	}
	want := []fstore.EngineColumn{{Name: "k", Type: "BIGINT"}, {Name: "event", Type: "TIMESTAMP"}, {Name: "x", Type: "BIGINT"}, {Name: "y", Type: "DOUBLE"}}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	r.check(rows, "1 | 2011-12-01 00:00:00 | 10 | NULL", "2 | 2011-12-02 00:00:00 | 9007199254740993 | 1.5")
}

func TestTypesThatNoTypeHoldsNameBothFiles(t *testing.T) {
	for _, c := range []struct {
		a, b string
		ok   bool
	}{
		{"INTEGER", "BIGINT", true},
		{"UBIGINT", "BIGINT", true},
		{"INTEGER", "DOUBLE", true},
		{"FLOAT", "DOUBLE", true},
		{"BIGINT", "DOUBLE", true},
		{"INTEGER", "FLOAT", true},
		{"BIGINT", "VARCHAR", false},
		{"BOOLEAN", "INTEGER", false},
		{"DECIMAL(10,2)", "DECIMAL(12,4)", true},
		{"DECIMAL(38,0)", "DECIMAL(38,10)", false},
		{"DECIMAL(10,2)", "DOUBLE", true},
		{"INTEGER", "DECIMAL(10,2)", true},
		{"DATE", "TIMESTAMP", true},
		{"TIMESTAMP", "TIMESTAMP_NS", true},
		{"TIMESTAMP", "TIMESTAMPTZ", true},
		{"TIMESTAMP_NS", "TIMESTAMPTZ", true},
		{"INTEGER[]", "BIGINT[]", true},
		{"BIGINT[]", "DOUBLE[]", true},
		{"UUID", "VARCHAR", true},
	} {
		t.Run(c.a+" and "+c.b, func(t *testing.T) {
			r, x := newRepo(t, 1), "NULL"
			if !c.ok {
				x = "'1'" // without values any types go together
			}
			r.write("s/1.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, "+x+"::"+c.a+" AS x")
			r.write("s/2.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, "+x+"::"+c.b+" AS x")
			_, _, err := r.source(source_("s/*.parquet"))
			if c.ok && err != nil {
				t.Error(err)
			}
			if !c.ok {
				r.fails(err, "source s: column x is ", "s/1.parquet", "s/2.parquet")
			}
		})
	}
}

func TestEventsBecomeMicrosecondsUTC(t *testing.T) {
	for typ, want := range map[string]string{
		"TIMESTAMP": "2011-12-09 12:30:00.123456", "TIMESTAMPTZ": "2011-12-09 12:30:00.123456", "TIMESTAMP_NS": "2011-12-09 12:30:00.123457",
		"TIMESTAMP_MS": "2011-12-09 12:30:00.123", "TIMESTAMP_S": "2011-12-09 12:30:00", "DATE": "2011-12-09 00:00:00",
	} {
		r := newRepo(t, 1)
		r.write("s.parquet", "SELECT 1 AS k, "+typ+" '2011-12-09 12:30:00.1234561' AS event, "+typ+" '2011-12-09 12:30:00.1234561' AS c")
		if typ == "TIMESTAMPTZ" {
			r.write("s.parquet", "SELECT 1 AS k, TIMESTAMPTZ '2011-12-09 14:30:00.123456+02' AS event, TIMESTAMPTZ '2011-12-09 14:30:00.123456+02' AS c")
		}
		src := source_("s.parquet")
		src.Created = "c"
		_, rows, err := r.source(src)
		if err != nil {
			t.Fatal(err)
		}
		r.check(rows, "1 | "+want+" | "+want)
	}
}

func TestHivePartitionsAreColumns(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s/day=2011-12-01/region=eu/a.parquet", values("k BIGINT | x BIGINT", "1 | 10"))
	r.write("s/day=2011-12-02/region=us/a.parquet", values("k BIGINT | x BIGINT", "2 | 20"))
	src := source_("s/*/*/*.parquet")
	src.Event = "day"
	_, rows, err := r.source(src)
	if err != nil {
		t.Fatal(err)
	}
	r.check(rows, "1 | 10 | 2011-12-01 00:00:00 | eu", "2 | 20 | 2011-12-02 00:00:00 | us")
}

func TestAColumnOfTheFilesIsNotTakenFromTheirFolders(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s/k=5/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 10", "2 | 2011-12-01 | 20"))
	r.checkAsOf(view(source_("s/*/*.parquet"), []string{"k int64"}, []string{"x int64"}), 0, "1 | 2011-12-01T00:00:00Z | 10", "2 | 2011-12-01T00:00:00Z | 20")
	r.write("m/k=5/y=2011/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	_, _, err := r.source(source_("m/**/*.parquet"))
	r.fails(err, "column k is in the files and in the names of their folders, and column y in those names only")
}

func TestColumnsThatDifferInCaseAreNotOne(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s/1.parquet", values("k BIGINT | event TIMESTAMP | Price BIGINT | x BIGINT", "1 | 2011-12-01 | 10 | 1"))
	r.write("s/2.parquet", values("k BIGINT | event TIMESTAMP | PRICE BIGINT | x BIGINT", "2 | 2011-12-02 | 20 | 2"))
	for _, c := range []struct {
		column string
		want   []string
	}{
		{"price", []string{"there is no column price", "it is written Price: names of columns match exactly, case included"}},
		{"Price", []string{"source s: column Price is missing from 1 of 2 files: ", "s/2.parquet", "Price is written PRICE in ", "s/2.parquet: names of columns match exactly"}},
		{"PRICE", []string{"source s: column PRICE is missing from 1 of 2 files: ", "s/1.parquet", "PRICE is written Price in ", "s/1.parquet"}},
	} {
		v := view(source_("s/*.parquet"), []string{"k int64"}, []string{"x int64"})
		v.View.Features[0].Column = c.column
		_, err := r.asOf(v, day)
		r.fails(err, c.want...)
		_, err = r.asOf(query("SELECT k, event, "+c.column+" AS x FROM s", []string{"k int64"}, []string{"x int64"}, source_("s/*.parquet")), day)
		named := strings.Replace(c.column, "price", "Price", 1) // SQL means either, and the error one
		r.fails(err, "source s: column "+named+" is missing from 1 of 2 files: ")
	}
	r.checkAsOf(view(source_("s/*.parquet"), []string{"k int64"}, []string{"x int64"}), 0, "1 | 2011-12-01T00:00:00Z | 1", "2 | 2011-12-02T00:00:00Z | 2")
	r.checkAsOf(query("SELECT k, event, x FROM s", []string{"k int64"}, []string{"x int64"}, source_("s/*.parquet")), 0, "1 | 2011-12-01T00:00:00Z | 1", "2 | 2011-12-02T00:00:00Z | 2")
}

func TestARepoWhoseOwnPathLooksLikeAPatternIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v[1]*{a,b}? it's")
	e, err := Open(Options{Threads: 1, Dir: dir, TempDir: filepath.Join(dir, "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := &repo{t, e, dir}
	r.write("s/day=1/x.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	for _, path := range []string{"s/*/*.parquet", "s/day=1/x.parquet", "s/**"} {
		if _, rows, err := r.source(source_(path)); err != nil || len(rows) != 1 {
			t.Errorf("%s: %v, %v", path, rows, err)
		}
	}
}

func TestABrokenFileAmongManyIsNamed(t *testing.T) {
	r := newRepo(t, 2)
	for i := range 20 {
		r.write(fmt.Sprintf("s/%d.parquet", i), values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	}
	whole, err := os.ReadFile(filepath.Join(r.dir, "s/7.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range [][]byte{nil, whole[:3], whole[:len(whole)/2], []byte("k,event\n1,2011-12-01\n")} {
		if err := os.WriteFile(filepath.Join(r.dir, "s/7.parquet"), broken, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.source(source_("s/*.parquet"))
		r.fails(err, "source s: ", "s/7.parquet")
	}
}

func TestPathsMayNameVariables(t *testing.T) {
	r := newRepo(t, 1)
	r.write("x/s.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	for _, path := range []string{"${DATA:-x}/s.parquet", "${SET}/s.parquet", "${EMPTY:-x}/s.parquet", filepath.Join(r.dir, "x/s.parquet")} {
		r.e.opts.Lookup = func(name string) (string, bool) {
			return map[string]string{"SET": "x", "EMPTY": ""}[name], name != "DATA"
		}
		if _, _, err := r.source(source_(path)); err != nil {
			t.Error(err)
		}
	}
	r.e.opts.Lookup = func(string) (string, bool) { return "", false }
	_, _, err := r.source(source_("${UNSET}/s.parquet"))
	r.fails(err, "UNSET is not set")
}

func TestMistakesInASourceAreNamed(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x VARCHAR", "1 | 2011-12-01 | a"))
	for _, c := range []struct {
		change func(*fstore.Source)
		want   string
	}{
		{func(s *fstore.Source) { s.Path = "none/*.parquet" }, "no such file"},
		{func(s *fstore.Source) { s.Path = "none.parquet" }, "no such file"},
		{func(s *fstore.Source) { s.Path = "." }, "is a folder"},
		{func(s *fstore.Source) { s.Event = "at" }, "no column at"},
		{func(s *fstore.Source) { s.Event = "x" }, "column x is VARCHAR, not a time"},
		{func(s *fstore.Source) { s.Created = "k" }, "column k is BIGINT, not a time"},
		{func(s *fstore.Source) { s.Rename = map[string]string{"y": "z"} }, "no column y"},
		{func(s *fstore.Source) { s.Rename = map[string]string{"x": "k"} }, "two columns named k"},
	} {
		src := source_("s.parquet")
		c.change(&src)
		_, err := r.e.SourceColumns(t.Context(), &src)
		r.fails(err, "source s: ", c.want)
	}
}

func TestAFileWhoseNameLooksLikeAPatternIsRead(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s [1]*.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	_, rows, err := r.source(source_("s [1]*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	r.check(rows, "1 | 2011-12-01 00:00:00")
}

func TestRowsWithoutAnEventAreDroppedAndCounted(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | NULL | 10", "1 | 2011-12-01 | 20", "2 | NULL | 30"))
	src := source_("s.parquet")
	plain := view(src, []string{"k int64"}, []string{"x int64"})
	sql := query("SELECT k, CASE WHEN x > 0 THEN event END AS event, count(*) OVER () AS n FROM s UNION ALL SELECT 2, NULL, 7", []string{"k int64"}, []string{"n int64"}, src)
	sql.Ref.Name = "w"
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10", "2 | 2011-12-10"))
	got, s := r.train(r.request("l.parquet", all(plain, sql)))
	r.check(got, "1 | 2011-12-10 00:00:00 | 20 | 1", "2 | 2011-12-10 00:00:00 | NULL | NULL")
	want := []DroppedRows{{"source s", 2}, {"view w@1", 1}}
	if diff := cmp.Diff(want, s.DroppedRows); diff != "" {
		t.Error(diff)
	}
}
