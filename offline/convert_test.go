package offline

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

func TestWhatConvertsToWhat(t *testing.T) {
	yes := map[string]string{
		"bool": "BOOLEAN", "string": "VARCHAR,ENUM('a', 'b'),UUID", "bytes": "BLOB",
		"int32":     "TINYINT,SMALLINT,INTEGER,BIGINT,HUGEINT,UTINYINT,USMALLINT,UINTEGER,UBIGINT,UHUGEINT,DECIMAL(38,0),DECIMAL(18,3),DOUBLE,FLOAT",
		"int64":     "TINYINT,SMALLINT,INTEGER,BIGINT,HUGEINT,UTINYINT,USMALLINT,UINTEGER,UBIGINT,UHUGEINT,DECIMAL(38,0),DECIMAL(18,3),DOUBLE,FLOAT",
		"float32":   "TINYINT,SMALLINT,INTEGER,BIGINT,HUGEINT,UTINYINT,USMALLINT,UINTEGER,UBIGINT,UHUGEINT,DOUBLE,FLOAT",
		"float64":   "TINYINT,SMALLINT,INTEGER,BIGINT,HUGEINT,UTINYINT,USMALLINT,UINTEGER,UBIGINT,UHUGEINT,DECIMAL(38,0),DECIMAL(18,3),DOUBLE,FLOAT",
		"timestamp": "TIMESTAMP,TIMESTAMP_S,TIMESTAMP_MS,TIMESTAMP_NS,TIMESTAMP WITH TIME ZONE,DATE",
	}
	e := &Engine{}
	all := map[string]bool{"TIME": true, "INTERVAL": true, "STRUCT(a INTEGER)": true, "MAP(INTEGER, INTEGER)": true, "BIT": true, "JSON": true}
	for _, types := range yes {
		for _, engine := range splitTypes(types) {
			all[engine] = true
		}
	}
	for name, types := range yes {
		to, err := fstore.ParseType(name)
		if err != nil {
			t.Fatal(err)
		}
		may := map[string]bool{}
		for _, engine := range splitTypes(types) {
			may[engine] = true
		}
		for engine := range all {
			for from, declared := range map[string]fstore.Type{engine: to, engine + "[]": fstore.List(to), engine + "[3]": fstore.List(to)} {
				if got := e.Converts(from, declared); got != may[engine] {
					t.Errorf("%s to %s: %v", from, declared, got)
				}
			}
			if e.Converts(engine, fstore.List(to)) || e.Converts(engine+"[]", to) {
				t.Errorf("%s and a list of it are one", engine)
			}
		}
	}
}

// A column without a type converts to any type, as nulls. The text of a folder converts to any type but a list.
func TestWhatConvertsToAnything(t *testing.T) {
	e := &Engine{}
	for to := fstore.Bool; to <= fstore.Timestamp; to++ {
		for from, want := range map[string][2]bool{`"NULL"`: {true, true}, `"NULL"[]`: {false, true}, "FOLDER": {true, false}} {
			if got := [2]bool{e.Converts(from, to), e.Converts(from, fstore.List(to))}; got != want {
				t.Errorf("%s to %s and a list of it: %v, want %v", from, to, got, want)
			}
		}
	}
}

func splitTypes(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if n := len(out); n > 0 && strings.Count(out[n-1], "(") > strings.Count(out[n-1], ")") {
			out[n-1] += "," + part
			continue
		}
		out = append(out, part)
	}
	return out
}

// TestConversionsKeepEveryValueOrFail converts a literal and says what comes out; an empty result is an error.
func TestConversionsKeepEveryValueOrFail(t *testing.T) {
	r := newRepo(t, 2)
	for _, c := range []struct{ from, to, want string }{
		{"true", "bool", "true"},
		{"127::TINYINT", "int32", "127"},
		{"2147483647::BIGINT", "int32", "2147483647"},
		{"-2147483648::BIGINT", "int32", "-2147483648"},
		{"2147483648::BIGINT", "int32", ""},
		{"4294967295::UINTEGER", "int32", ""},
		{"4294967295::UINTEGER", "int64", "4294967295"},
		{"9223372036854775807::HUGEINT", "int64", "9223372036854775807"},
		{"9223372036854775808::HUGEINT", "int64", ""},
		{"-9223372036854775809::HUGEINT", "int64", ""},
		{"18446744073709551615::UBIGINT", "int64", ""},
		{"'340282366920938463463374607431768211455'::UHUGEINT", "int64", ""},
		{"12345678901234567890123::DECIMAL(38,0)", "int64", ""},
		{"123::DECIMAL(38,0)", "int64", "123"},
		{"123.000::DECIMAL(18,3)", "int64", "123"},
		{"123.500::DECIMAL(18,3)", "int64", ""},
		{"9.99::DECIMAL(3,2)", "int64", ""},
		{"9007199254740991::DOUBLE", "int64", "9007199254740991"},
		{"9007199254740992::DOUBLE", "int64", ""},
		{"-0.0::DOUBLE", "int64", "0"},
		{"1.5::DOUBLE", "int64", ""},
		{"'nan'::DOUBLE", "int64", ""},
		{"'inf'::DOUBLE", "int64", ""},
		{"3e9::DOUBLE", "int32", ""},
		{"0.1::FLOAT", "float64", "0.10000000149011612"},
		{"0.1::DECIMAL(3,2)", "float64", "0.1"},
		{"0.1::DOUBLE", "float32", ""},
		{"0.5::DOUBLE", "float32", "0.5"},
		{"1e300::DOUBLE", "float32", ""},
		{"'nan'::DOUBLE", "float32", "NaN"},
		{"'-inf'::DOUBLE", "float32", "-Inf"},
		{"-0.0::DOUBLE", "float64", "0"},
		{"'-inf'::DOUBLE", "float64", "-Inf"},
		{"'nan'::FLOAT", "float64", "NaN"},
		{"9007199254740992::BIGINT", "float64", "9.007199254740992e+15"},
		{"9007199254740993::BIGINT", "float64", ""},
		{"9223372036854775807::BIGINT", "float64", ""},
		{"16777217::INTEGER", "float32", ""},
		{"16777216::INTEGER", "float32", "1.6777216e+07"},
		{"16777217::INTEGER", "float64", "1.6777217e+07"},
		{"'b'::ENUM('b', 'a')", "string", "b"},
		{"'5a3f1d6e-0000-4000-8000-00000000000f'::UUID", "string", "5a3f1d6e-0000-4000-8000-00000000000f"},
		{"''", "string", ""},
		{"DATE '2011-12-09'", "timestamp", "2011-12-09T00:00:00Z"},
		{"TIMESTAMPTZ '2011-12-09 01:00:00+02'", "timestamp", "2011-12-08T23:00:00Z"},
		{"TIMESTAMP_S '1969-12-31 23:59:59'", "timestamp", "1969-12-31T23:59:59Z"},
		{"TIMESTAMP_MS '1969-12-31 23:59:59.999'", "timestamp", "1969-12-31T23:59:59.999Z"},
		{"TIMESTAMP_NS '1969-12-31 23:59:59.999999'", "timestamp", "1969-12-31T23:59:59.999999Z"},
		{"TIMESTAMP_NS '1969-12-31 23:59:59.9999999'", "timestamp", ""},
		{"'infinity'::TIMESTAMP", "timestamp", ""},
		{"'-infinity'::TIMESTAMPTZ", "timestamp", ""},
		{"'infinity'::TIMESTAMP_NS", "timestamp", ""},
		{"'infinity'::DATE", "timestamp", ""},
		{"DATE '5881580-07-10'", "timestamp", ""},
		{"['infinity'::TIMESTAMPTZ]", "list<timestamp>", ""},
		{"[1, 2]::BIGINT[]", "list<int32>", "[1 2]"},
		{"[1.5, -0.0]::DOUBLE[]", "list<float32>", "[1.5 0]"},
		{"[0.1]::DOUBLE[]", "list<float32>", ""},
		{"[1, NULL]::BIGINT[]", "list<int64>", ""},
		{"[]::BIGINT[]", "list<int64>", "[]"},
		{"[1, 2, 3]::DECIMAL(5,1)[3]", "list<float64>", "[1 2 3]"},
		{"['a', '']::VARCHAR[]", "list<string>", "[a ]"},
		{"[DATE '2011-12-09']", "list<timestamp>", "[2011-12-09 00:00:00 +0000 UTC]"},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			r := &repo{t, r.e, r.dir}
			s, err := r.e.session(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			to, err := fstore.ParseType(c.to)
			if err != nil {
				t.Fatal(err)
			}
			// A null beside it is always one, and the optimizer cannot compute a column's value beforehand.
			from := "(SELECT " + c.from + " AS x UNION ALL SELECT NULL FROM range(2) ORDER BY x NULLS LAST LIMIT 2)"
			columns, err := s.describe(t.Context(), "SELECT * FROM "+from)
			if err != nil {
				t.Fatal(err)
			}
			if !r.e.Converts(columns[0].Type, to) {
				t.Fatalf("%s does not convert to %s", columns[0].Type, to)
			}
			f := field{"x", sqltype.Parse(columns[0].Type), to}
			b, err := s.query(t.Context(), "SELECT "+f.sql("view v")+" FROM "+from)
			if c.want == "" && c.from != "''" {
				r.fails(err, misfit+"view v, column x: ")
				if f.unfit() == "" {
					t.Error("unfit finds no such values")
				}
				b, err := s.query(t.Context(), "SELECT count(*) FROM "+from+" WHERE "+f.unfit())
				if err != nil || b.Columns[0].Int64s[0] != 1 {
					t.Errorf("unfit finds %v, %v", b, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := boxed(b); got[0][0] != c.want || got[1][0] != "NULL" || b.Columns[0].Type != to {
				t.Errorf("got %v %s, want %s", got, b.Columns[0].Type, c.want)
			}
			if f.unfit() != "" {
				b, err := s.query(t.Context(), "SELECT count(*) FROM "+from+" WHERE "+f.unfit())
				if err != nil || b.Columns[0].Int64s[0] != 0 {
					t.Errorf("unfit finds %v, %v", b, err)
				}
			}
		})
	}
}

func TestAValueThatDoesNotFitIsNamedWithFileAndRow(t *testing.T) {
	r := newRepo(t, 4)
	r.write("s/a.parquet", values("K BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 10"))
	r.write("s/b.parquet", values("K BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-02 | 10", "1 | 2011-12-03 | 3000000000"))
	src := source_("s/*.parquet")
	src.Rename = map[string]string{"K": "k", "x": "y"}
	v := view(src, []string{"k int64"}, []string{"y int32"})
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
	r.fails(err, "view v@1, column y: 3000000000 is not an int32", "s/b.parquet row 2")
	_, err = r.asOf(v, day)
	r.fails(err, "view v@1, column y: 3000000000 is not an int32", "s/b.parquet row 2")

	sql := query("SELECT k, event, y FROM s", []string{"k int64"}, []string{"y int32"}, src)
	_, err = r.asOf(sql, day)
	r.fails(err, "view v@1, column y: 3000000000 is not an int32", "row of k 1")
}

func TestAMisfitIsFoundWhateverTheColumnIsCalled(t *testing.T) {
	r := newRepo(t, 1)
	for _, name := range []string{"x", "_row", "_file", "row", "file", "filename", "event", "e"} {
		r.write("s.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS at, 8 - i / 2 AS "+name+" FROM range(4) t(i)")
		src := source_("s.parquet")
		src.Event = "at"
		v := view(src, []string{"k int64"}, []string{name + " int64"})
		_, err := r.asOf(v, day)
		r.fails(err, "column "+name+": 7.5 is not an int64", "s.parquet row 2")
	}
	r.write("s.parquet", "SELECT 1 AS k, TIMESTAMP '2011-12-01' AS event, 7.5 AS file_row_number")
	_, err := r.asOf(view(source_("s.parquet"), []string{"k int64"}, []string{"file_row_number int64"}), day)
	r.fails(err, "column file_row_number: 7.5 is not an int64", "s.parquet")
}

func TestInfinityIsNoInstantOfALabelAndNeverKnownAsCreated(t *testing.T) {
	r := newRepo(t, 2)
	for _, typ := range []string{"TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMP_MS", "DATE"} {
		r.write("s.parquet", "SELECT k::BIGINT AS k, TIMESTAMP '2011-12-01' AS event, z::"+typ+" AS created, k AS x FROM (VALUES (1, 'infinity'), (2, '-infinity'), (3, NULL)) t(k, z)")
		src := source_("s.parquet")
		src.Created, src.Available = "created", fstore.Available{Created: true}
		v := view(src, []string{"k int64"}, []string{"x int64"})
		r.checkAsOf(v, 0, "2 | 2011-12-01T00:00:00Z | 2", "3 | 2011-12-01T00:00:00Z | 3")
		for _, at := range []string{"infinity", "-infinity"} {
			r.write("l.parquet", "SELECT 1 AS k, z::"+typ+" AS t FROM (VALUES ('2011-12-09'), ('"+at+"')) x(z)")
			_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
			r.fails(err, "row 2: column t: "+at+" is not an instant")
		}
	}
	r.write("l.parquet", "SELECT 1 AS k, DATE '5881580-07-10' AS t")
	_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(history(r))))
	r.fails(err, "row 1: column t: 5881580-07-10 is not an instant")
}

func TestAColumnOfAnotherKindIsRefused(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", values("k VARCHAR | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 10"))
	_, err := r.asOf(view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"}), day)
	r.fails(err, "column k is VARCHAR", "int64")
	_, err = r.asOf(view(source_("s.parquet"), []string{"k string"}, []string{"y int64"}), day)
	r.fails(err, "no column y", "k, event, x")
}

func TestFinerThanAMicrosecondEventsRoundUpAndLabelsDown(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP_NS | x BIGINT",
			"1 | 2011-12-09 12:00:00.000000001 | 10", "2 | 1969-12-31 23:59:59.9999985 | 20", "3 | 2011-12-09 12:00:00 | 30"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
		r.write("l.parquet", values("k BIGINT | t TIMESTAMP_NS",
			"1 | 2011-12-09 12:00:00.000000999",
			"1 | 2011-12-09 12:00:00.000001",
			"2 | 1969-12-31 23:59:59.9999989",
			"2 | 1969-12-31 23:59:59.999999",
			"3 | 2011-12-09 12:00:00.000000001"))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-12-09 12:00:00.000000999 | NULL",
			"1 | 2011-12-09 12:00:00.000001 | 10",
			"2 | 1969-12-31 23:59:59.9999989 | NULL",
			"2 | 1969-12-31 23:59:59.999999 | 20",
			"3 | 2011-12-09 12:00:00.000000001 | 30")
		r.checkAsOf(v, -day.Sub(time.Unix(0, 0))-time.Microsecond, "2 | 1969-12-31T23:59:59.999999Z | 20")
	})
}

func TestLiteralsComeBackAsTheyWere(t *testing.T) {
	r := newRepo(t, 1)
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	b, err := s.query(t.Context(), "SELECT "+text("it's\n\\ \"ü\"")+" AS "+ident(`a "quoted" name`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"it's\n\\ \"ü\""}, b.Columns[0].Strings); diff != "" || b.Columns[0].Name != `a "quoted" name` {
		t.Errorf("%s %s", diff, b.Columns[0].Name)
	}
}

// The history of a view leaves floats as its files have them: each of its readers makes them canonical.
func TestFloatsAreCanonicalWhereverAHistoryIsRead(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s.parquet", "SELECT k, TIMESTAMP '2011-12-09' AS event, x::DOUBLE AS x, x::FLOAT AS y\nFROM (VALUES (1, -0.0::DOUBLE), (2, -'nan'::DOUBLE)) AS v (k, x)")
	r.write("l.parquet", "SELECT k, TIMESTAMP '2011-12-10' AS t\nFROM (VALUES (1), (2)) AS v (k)")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64", "y float32"})
	r.train(r.request("l.parquet", all(v)))
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	trained, err := s.query(t.Context(), "SELECT x, y\nFROM "+readParquet([]string{filepath.Join(r.dir, "out.parquet")}, false))
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]*fstore.Batch{"training set": trained}
	for b, err := range r.e.AsOf(t.Context(), v, day.AddDate(0, 0, 1)) {
		if err != nil {
			t.Fatal(err)
		}
		read["as of"] = b
	}
	found, err := r.e.Query(t.Context(), QueryRequest{View: v, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	read["query"] = found.Rows
	for name, b := range read {
		n := len(b.Columns)
		x, y := b.Columns[n-2].Float64s, b.Columns[n-1].Float32s
		seen := map[string]bool{}
		for i := range b.Len {
			seen[fmt.Sprintf("%x %x", math.Float64bits(x[i]), math.Float32bits(y[i]))] = true
		}
		if want := map[string]bool{"0 0": true, "7ff8000000000000 7fc00000": true}; !maps.Equal(seen, want) {
			t.Errorf("%s: got the bits %v, want %v", name, seen, want)
		}
	}
}
