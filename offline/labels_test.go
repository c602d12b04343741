package offline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// history writes a history of key 1 with one value, from the start of the 9th on.
func history(r *repo) *fstore.ViewVersion {
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-09 | 10"))
	return view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
}

func TestLabelsOfAnyTimestampComeOutAsTheyWentIn(t *testing.T) {
	for typ, at := range map[string][2]string{ // just before, and at, the 9th
		"TIMESTAMP":                {"2011-12-08 23:59:59.999999", "2011-12-09 00:00:00"},
		"TIMESTAMP WITH TIME ZONE": {"2011-12-08 23:59:59.999999+00", "2011-12-09 00:00:00+00"},
		"TIMESTAMP_NS":             {"2011-12-08 23:59:59.999999999", "2011-12-09 00:00:00"},
		"DATE":                     {"2011-12-08", "2011-12-09"},
	} {
		t.Run(typ, func(t *testing.T) {
			r := newRepo(t, 2)
			v := history(r)
			r.write("l.parquet", "SELECT 1::BIGINT AS k, col0::"+typ+" AS t, [1.5, NULL] AS list, {'a': 1} AS struct, 1.50::DECIMAL(9,2) AS d, 'x'::BLOB AS b "+
				"FROM (VALUES ('"+at[0]+"'), ('"+at[1]+"'))")
			got, _ := r.train(r.request("l.parquet", all(v)))
			rest := " | [1.5, NULL] | {'a': 1} | 1.50 | x | "
			r.check(got, "1 | "+at[0]+rest+"NULL", "1 | "+at[1]+rest+"10")
			_, was := r.read("l.parquet")
			_, is := r.read("out.parquet")
			if diff := cmp.Diff(was, is[:len(was)]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type stamps struct {
	K int64 `parquet:"k"`
	T int64 `parquet:"t,timestamp(nanosecond:utc)"`
	M int64 `parquet:"m,timestamp(millisecond:local)"`
}

func writeStamps(t *testing.T, path string, rows ...stamps) {
	t.Helper()
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
}

// Nanoseconds are looked for by parquet-go, which makes other values of LZ4 pages at times: those are refused.
func TestZonedNanosecondsInLZ4AreRefused(t *testing.T) {
	r := newRepo(t, 1)
	v := history(r)
	path := filepath.Join(r.dir, "l.parquet")
	for codec, taken := range map[compress.Codec]bool{&parquet.Lz4Raw: false, &parquet.Zstd: true, &parquet.Snappy: true} {
		if err := parquet.WriteFile(path, []stamps{{1, day.UnixNano(), 1}}, parquet.Compression(codec)); err != nil {
			t.Fatal(err)
		}
		_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
		if taken && err != nil {
			t.Errorf("%s: %v", codec, err)
		}
		if !taken {
			r.fails(err, "column t has nanoseconds with a time zone, compressed as LZ4", "l.parquet")
		}
	}
}

func TestZonedNanosecondsAreReadExactlyOrRefused(t *testing.T) {
	r := newRepo(t, 2)
	v := history(r)
	writeStamps(t, filepath.Join(r.dir, "l.parquet"), stamps{1, day.UnixNano() - 1000, 1}, stamps{1, day.UnixNano(), -1})
	got, _ := r.train(r.request("l.parquet", all(v)))
	r.check(got, "1 | 2011-12-08 23:59:59.999999+00 | 1970-01-01 00:00:00.001 | NULL", "1 | 2011-12-09 00:00:00+00 | 1969-12-31 23:59:59.999 | 10")
	units, err := timeUnits(filepath.Join(r.dir, "out.parquet"))
	if err != nil || units["m"] != millis {
		t.Errorf("milliseconds came out as %v, %v", units, err)
	}
	writeStamps(t, filepath.Join(r.dir, "l.parquet"), stamps{1, day.UnixNano(), 1}, stamps{1, day.UnixNano() - 1, 1})
	_, err = r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
	r.fails(err, "column t has nanoseconds with a time zone", "l.parquet row 2")
	src := source_("l.parquet")
	src.Event = "t"
	_, err = r.asOf(view(src, []string{"k int64"}, []string{"m timestamp"}), day)
	r.fails(err, "source s: column t has nanoseconds", "l.parquet row 2")
}

func TestLabelKeysMatchByValue(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		v := history(r)
		for _, typ := range []string{"TINYINT", "INTEGER", "UBIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL(9,2)"} {
			r.write("l.parquet", labels(values("k "+typ+" | t TIMESTAMP", "1 | 2011-12-10", "NULL | 2011-12-10", "2 | 2011-12-10")))
			got, _ := r.train(r.request("l.parquet", all(v)))
			if got[0][2] != "10" || got[1][2] != "NULL" || got[2][2] != "NULL" {
				r.Errorf("%s: %v", typ, got[:3])
			}
		}
		r.write("l.parquet", labels(values("k DOUBLE | t TIMESTAMP", "nan | 2011-12-10", "1 | 2011-12-10")))
		got, _ := r.train(r.request("l.parquet", all(v)))
		r.check(got, "nan | 2011-12-10 00:00:00 | NULL", "1.0 | 2011-12-10 00:00:00 | 10")
	})
}

func TestMistakesInLabelsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"a string key":        {values("k VARCHAR | t TIMESTAMP", "1 | 2011-12-10"), []string{"column k is VARCHAR", "int64", "never equal"}},
		"half a key":          {values("k DOUBLE | t TIMESTAMP", "1 | 2011-12-10", "1.5 | 2011-12-10"), []string{"row 2", "column k", "1.5"}},
		"a key out of range":  {values("k DECIMAL(38,0) | t TIMESTAMP", "9223372036854775808 | 2011-12-10"), []string{"row 1", "9223372036854775808"}},
		"no key":              {values("c BIGINT | t TIMESTAMP", "1 | 2011-12-10"), []string{"no column k", "c, t"}},
		"no time":             {values("k BIGINT | seen TIMESTAMP", "1 | 2011-12-10"), []string{"no column t", "k, seen", "--timestamp"}},
		"a time that is text": {values("k BIGINT | t VARCHAR", "1 | 2011-12-10"), []string{"column t is VARCHAR"}},
		"a null time":         {values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10", "1 | NULL"), []string{"row 2", "column t"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, 2)
			v := history(r)
			r.write("l.parquet", c.sql)
			_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
			r.fails(err, append(c.want, "training set t: labels: ")...)
			if !errors.Is(err, fstore.ErrInvalid) {
				t.Errorf("not invalid: %v", err)
			}
		})
	}
	r := newRepo(t, 1)
	_, err := r.e.TrainingSet(t.Context(), r.request("none.parquet", all(history(r))))
	r.fails(err, "none.parquet", "no such file")
}

func TestCSVLabels(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | zip VARCHAR | event TIMESTAMP | x BIGINT", "1 | 007 | 2011-12-09 | 10"))
	v := view(source_("s.parquet"), []string{"k int64", "zip string"}, []string{"x int64"})
	csv := `k,zip,t,code,label,big
1,007,2011-12-09T00:00:00Z,0042,1.5,123456789012345678901
1.0,007,2011-12-09T01:00:00+02:00,1,2,1
,007,2011-12-10 00:00:00,1,,1
1,7,2011-12-10,1,2,1
`
	if err := os.WriteFile(filepath.Join(r.dir, "l.csv"), []byte(csv), 0o644); err != nil {
		t.Fatal(err)
	}
	got, _ := r.train(r.request("l.csv", all(v)))
	r.check(got,
		"1 | 007 | 2011-12-09 00:00:00+00 | 0042 | 1.5 | 123456789012345678901 | 10",
		"1 | 007 | 2011-12-08 23:00:00+00 | 1 | 2.0 | 1 | NULL",
		"NULL | 007 | 2011-12-10 00:00:00+00 | 1 | NULL | 1 | NULL",
		"1 | 7 | 2011-12-10 00:00:00+00 | 1 | 2.0 | 1 | NULL")
	for text, want := range map[string]string{
		"k,zip,t\n1,a,2011-12-09\n1.5,a,2011-12-09\n": `row 2: column k: "1.5" is not an int64`,
		"k,zip,t\n9223372036854775808,a,2011-12-09\n": "row 1: column k",
		"k,zip,t\n1,a,2011-12-09\n1,a,yesterday\n":    `row 2: column t: "yesterday" is not an instant`,
		"k,zip,t\n1,a,\n":            "row 1 has no instant",
		"k,zip,at\n1,a,2011-12-09\n": "no column t",
		"k,t\n1,2011-12-09\n":        "no column zip",
		"k,zip,t\n1,a,1323388800\n":  `"1323388800" is not an instant`,
	} {
		if err := os.WriteFile(filepath.Join(r.dir, "l.csv"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := r.e.TrainingSet(t.Context(), r.request("l.csv", all(v)))
		r.fails(err, want)
	}
}

func TestLabelsBySQL(t *testing.T) {
	r := newRepo(t, 4)
	v := history(r)
	req := r.request("", all(v))
	req.Labels = Labels{SQL: "SELECT k, event - INTERVAL 1 MICROSECOND AS t, x AS label FROM s UNION ALL SELECT k, event, 2 FROM s ORDER BY t DESC", Sources: v.Sources}
	got, _ := r.train(req)
	r.check(got, "1 | 2011-12-09 00:00:00 | 2 | 10", "1 | 2011-12-08 23:59:59.999999 | 10 | NULL")
}

func TestSameInputsSameBytesOnAnyNumberOfThreads(t *testing.T) {
	digests := map[string]bool{}
	for _, threads := range []int{1, 2, 4} {
		r := newRepo(t, threads)
		r.write("s.parquet", "SELECT i % 500 AS k, TIMESTAMP '2011-12-01' + to_hours((hash(i) % 200)::BIGINT) AS event, TIMESTAMP '2011-12-01' + to_hours((hash(i + 1) % 300)::BIGINT) AS created, "+
			"i % 3 AS a, i % 11 AS b, (i % 7)::DOUBLE AS c FROM range(50000) t(i)")
		src := source_("s.parquet")
		src.Created, src.Available = "created", fstore.Available{Created: true}
		v := view(src, []string{"k int64"}, []string{"a int64", "b int64", "c float64"})
		r.write("l.parquet", "SELECT (hash(i) % 500)::BIGINT AS k, TIMESTAMP '2011-12-01' + to_minutes((hash(i + 5) % 20000)::BIGINT) AS t FROM range(20000) t(i)")
		_, s := r.train(r.request("l.parquet", all(v)))
		var l lock.Lock
		if err := json.Unmarshal(s.Lock, &l); err != nil {
			t.Fatal(err)
		}
		digests[l.Output.SHA256] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d different outputs", len(digests))
	}
}

func TestACancelledTrainingSetLeavesNothing(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", "SELECT i % 500 AS k, TIMESTAMP '2011-12-01' + to_seconds(i) AS event, i AS x FROM range(500000) t(i)")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"})
	r.write("l.parquet", "SELECT i % 500 AS k, TIMESTAMP '2011-12-09' AS t FROM range(200000) t(i)")
	ctx, cancel := context.WithCancel(t.Context())
	req := r.request("l.parquet", all(v))
	req.Progress = func(p trainset.Progress) {
		if p.Stage == "join" {
			cancel()
		}
	}
	_, err := r.e.TrainingSet(ctx, req)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(r.dir, "*out*"))
	hidden, _ := filepath.Glob(filepath.Join(r.dir, ".*"))
	if len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
}

func TestATrainingSetLargerThanMemoryIsSpilled(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(Options{Threads: 2, MemoryLimit: "100MB", Dir: dir, TempDir: filepath.Join(dir, "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := &repo{t, e, dir}
	r.write("s.parquet", "SELECT i % 50000 AS k, TIMESTAMP '2011-12-01' + to_seconds(i) AS event, i AS x, i || ' is a string of some length' AS y FROM range(1500000) t(i)")
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64", "y string"})
	r.write("l.parquet", "SELECT i % 50000 AS k, TIMESTAMP '2012-12-09' AS t, i || ' is another string of some length' AS z FROM range(700000) t(i)")
	s, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Views[0].WithValue != 700000 {
		t.Errorf("summary %+v", s.Views)
	}
	n := 0
	for b, err := range r.e.AsOf(t.Context(), v, day.AddDate(1, 0, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		n += b.Len
	}
	if n != 50000 {
		t.Errorf("%d rows", n)
	}
}

func TestAsOfComesInKeyOrder(t *testing.T) {
	r := newRepo(t, 4)
	r.write("s.parquet", "SELECT CASE WHEN i % 2 = 0 THEN 'a' || i ELSE 'é' || i END AS a, (hash(i)::HUGEINT - 9223372036854775808)::BIGINT AS b, TIMESTAMP '2011-12-01' AS event, i AS x FROM range(30000) t(i)")
	v := view(source_("s.parquet"), []string{"a string", "b int64"}, []string{"x int64"})
	var last []byte
	n := 0
	for b, err := range r.e.AsOf(t.Context(), v, day) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len {
			key := fstore.AppendKey(nil, []*fstore.Column{&b.Columns[0], &b.Columns[1]}, i)
			if string(key) <= string(last) {
				t.Fatalf("row %d: %x is not behind %x", n, key, last)
			}
			last = key
			n++
		}
	}
	if n != 30000 {
		t.Errorf("%d rows", n)
	}
}
