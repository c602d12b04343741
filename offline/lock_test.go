package offline

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/stats"
)

func TestTheLockSaysWhatWentInAndWhatCameOut(t *testing.T) {
	r := newRepo(t, 2)
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	req := r.request("l.parquet", all(v))
	req.Version = "v0.1"
	req.Registry = lock.Registry{Project: "shop", Revision: 7, Commit: 3, GitRevision: "abc", Dirty: true}
	var stages []string
	req.Progress = func(p trainset.Progress) {
		if p.Done == 0 {
			stages = append(stages, p.Stage)
		}
	}
	_, s := r.train(req)
	written, err := os.ReadFile(filepath.Join(r.dir, "out.lock.json"))
	if err != nil || s.LockPath != filepath.Join(r.dir, "out.lock.json") {
		t.Fatal(s.LockPath, err)
	}
	l, err := lock.Read(written)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(name string) (lock.File, string) {
		b, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		h, m := sha256.Sum256(b), md5.Sum(b)
		return lock.File{Path: filepath.Join(r.dir, name), Size: int64(len(b)), SHA256: hex.EncodeToString(h[:])}, hex.EncodeToString(m[:])
	}
	labels, _ := sum("l.parquet")
	source, _ := sum("s.parquet")
	out, md5 := sum("out.parquet")
	column := func(typ string, value ...byte) string {
		h := sha256.Sum256(append(append([]byte(typ), 0, 1), value...))
		return hex.EncodeToString(h[:])
	}
	int64s := func(x int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(x)) }
	one, ten := 1.0, 10.0
	single := int64(1)
	bin := func(v string, mean *float64) []stats.Bin {
		return []stats.Bin{{UpTo: json.RawMessage(v), Count: 1, Mean: mean}}
	}
	want := &lock.Lock{
		Format: 3, Name: "t", Created: req.Now, Build: lock.Build{Fstore: "v0.1", DuckDB: "v1.5.6", Platform: runtime.GOOS + "/" + runtime.GOARCH}, Registry: req.Registry, AsOf: req.Now,
		Features: []lock.Feature{{Name: "x", View: v.Ref, Feature: "x", Type: fstore.Int64, Use: new(int)}}, Views: []*fstore.ViewVersion{v}, Uses: []lock.Use{{View: v.Ref, Keys: req.List.Uses[0].Keys, WithValue: &single}},
		Labels:  lock.Labels{File: &labels, Timestamp: "t", Rows: 1},
		Sources: []lock.Source{{Name: "s", Path: "s.parquet", Files: []lock.File{source}}},
		Output: lock.Output{File: out, MD5: md5, Rows: 1, Columns: []lock.Column{
			{Name: "k", Type: "BIGINT", Content: column("BIGINT", int64s(1)...), Statistics: stats.Statistics{Count: 1, Min: json.RawMessage("1"), Max: json.RawMessage("1"), Mean: &one, Distinct: &single, Histogram: bin("1", &one)}},
			{Name: "t", Type: "TIMESTAMP", Content: column("TIMESTAMP", int64s(fstore.Micros(day.AddDate(0, 0, 1)))...), Statistics: stats.Statistics{
				Count: 1, Min: json.RawMessage(`"2011-12-10T00:00:00Z"`), Max: json.RawMessage(`"2011-12-10T00:00:00Z"`), Distinct: &single, Histogram: bin(`"2011-12-10T00:00:00Z"`, nil),
			}},
			{Name: "x", Type: "BIGINT", Content: column("BIGINT", int64s(10)...), Statistics: stats.Statistics{Count: 1, Min: json.RawMessage("10"), Max: json.RawMessage("10"), Mean: &ten, Distinct: &single, Histogram: bin("10", &ten)}},
		}},
	}
	c := want.Output.Columns
	content := sha256.Sum256([]byte(fmt.Sprintf("fstore content 1\n1\n[\"k\",\"BIGINT\",\"%s\"]\n[\"t\",\"TIMESTAMP\",\"%s\"]\n[\"x\",\"BIGINT\",\"%s\"]\n", c[0].Content, c[1].Content, c[2].Content)))
	want.Output.Content = hex.EncodeToString(content[:])
	if diff := cmp.Diff(want, l, cmpopts.IgnoreFields(lock.Lock{}, "Digest", "Settings")); diff != "" {
		t.Error(diff)
	}
	settings := map[string]string{}
	for _, s := range l.Settings {
		settings[s.Name] = s.Value
	}
	if settings["TimeZone"] != "UTC" || settings["threads"] != "2" || settings["parquet"] != fileOptions || len(settings) != len(engineSettings)+1 {
		t.Errorf("settings %v", settings)
	}
	if got := strings.Join(stages, ", "); got != "read labels, read views, join, write, summarize, lock" {
		t.Errorf("stages %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The digest of a column is that of its values as they are, in order, and of its type, for columns of every kind.
func TestEveryValueCountsInTheContent(t *testing.T) {
	r := newRepo(t, 2)
	content := func(sql string) lock.Output {
		r.write("c.parquet", sql)
		s, err := r.e.session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		o, err := s.lockOutput(t.Context(), filepath.Join(r.dir, "c.parquet"), "", "")
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return o
	}
	for _, typ := range []struct{ name, a, b string }{
		{"BOOLEAN", "true", "false"},
		{"TINYINT", "1", "2"},
		{"UTINYINT", "1", "255"},
		{"SMALLINT", "1", "-1"},
		{"INTEGER", "1", "2"},
		{"UINTEGER", "1", "4294967295"},
		{"BIGINT", "9007199254740993", "9007199254740992"},
		{"UBIGINT", "1", "18446744073709551615"},
		{"HUGEINT", "1", "170141183460469231731687303715884105727"},
		{"FLOAT", "0.5", "nan"},
		{"DOUBLE", "0.1", "0.10000000000000002"},
		{"DOUBLE", "inf", "-inf"},
		{"DECIMAL(18,3)", "1.5", "1.501"},
		{"VARCHAR", "", "a"},
		{"BLOB", "a", "ab"},
		{"DATE", "2011-12-09", "2011-12-10"},
		{"TIME", "10:00:00", "10:00:01"},
		{"UUID", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"},
		{"TIMESTAMP", "2011-12-09 00:00:00.000001", "2011-12-09"},
		{"TIMESTAMP", "infinity", "2011-12-09"},
		{"TIMESTAMP_NS", "2011-12-09 00:00:00.000000001", "2011-12-09"},
		{"TIMESTAMP_MS", "2011-12-09 00:00:00.001", "2011-12-09"},
		{"TIMESTAMP_S", "2011-12-09", "2011-12-10"},
		{"TIMESTAMPTZ", "2011-12-09 00:00:00+01", "2011-12-09 00:00:00+00"},
		{"TIMESTAMPTZ", "-infinity", "2011-12-09 00:00:00+00"},
		{"FLOAT[]", "[1, 2]", "[1]"},
		{"FLOAT[]", "[]", "[NULL]"},
		{"VARCHAR[]", "['a, b']", "['a', 'b']"},
		{"INTEGER[][]", "[[1], [2]]", "[[1, 2]]"},
		{"INTEGER[2]", "[1, 2]", "[2, 1]"},
		{"STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': 'x'}", "{'a': 1, 'b': NULL}"},
		{"MAP(VARCHAR, INTEGER)", "MAP {'a': 1}", "MAP {'a': 2}"},
		{"INTERVAL", "1 day", "24 hours"},
	} {
		value := func(v string) string {
			if strings.ContainsAny(v, "[{") {
				return v + "::" + typ.name
			}
			return text(v) + "::" + typ.name
		}
		seen := map[string]string{}
		for _, rows := range []string{
			value(typ.a), value(typ.b), "NULL::" + typ.name, value(typ.a) + "), (" + value(typ.b), value(typ.b) + "), (" + value(typ.a),
			value(typ.a) + "), (NULL", "NULL), (" + value(typ.a), value(typ.a) + "), (" + value(typ.a),
		} {
			o := content("SELECT * FROM (VALUES (" + rows + ")) t(x)")
			if other, ok := seen[o.Content]; ok {
				t.Errorf("%s: %s and %s have one digest", typ.name, rows, other)
			}
			seen[o.Content] = rows
			if s := o.Columns[0].Statistics; s.Count+s.Nulls != o.Rows {
				t.Errorf("%s: %d values and %d nulls in %d rows", typ.name, s.Count, s.Nulls, o.Rows)
			}
		}
	}
	a, b := content("SELECT 1::BIGINT AS x"), content("SELECT 1::BIGINT AS y")
	if a.Content == b.Content || a.Columns[0].Content != b.Columns[0].Content {
		t.Error("a name is part of the content, and not of its column's")
	}
	if a, b := content("SELECT 1::BIGINT AS x"), content("SELECT 1::INTEGER AS x"); a.Columns[0].Content == b.Columns[0].Content {
		t.Error("a type is part of a column's content")
	}
	if a, b := content("SELECT 1 AS x WHERE false"), content("SELECT 1 AS x"); a.Content == b.Content || a.Rows != 0 {
		t.Error("no rows")
	}
}

func TestStatisticsOfNumbersTextsAndInstants(t *testing.T) {
	r := newRepo(t, 4)
	// 100,000 rows: x is 0 to 99,999 shuffled, y has three texts, z many, w every kind of float
	r.write("c.parquet", `SELECT (i * 7919) % 100000 AS x, ['a', 'b', 'c'][1 + (i % 3)::INTEGER] AS y, md5(i::VARCHAR) AS z,
  CASE i % 4 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN NULL WHEN 2 THEN 2.5 ELSE -1e300 END AS w, TIMESTAMP '2011-12-09' + to_seconds(i % 100) AS t, 'inf'::DOUBLE AS u
FROM range(100000) r(i)`)
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	o, err := s.lockOutput(t.Context(), filepath.Join(r.dir, "c.parquet"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	x, y, z, w, at, u := o.Columns[0].Statistics, o.Columns[1].Statistics, o.Columns[2].Statistics, o.Columns[3].Statistics, o.Columns[4].Statistics, o.Columns[5].Statistics
	if x.Count != 100000 || string(x.Min) != "0" || string(x.Max) != "99999" || math.Abs(*x.Mean-49999.5) > 1e-6 || math.Abs(*x.Stddev-28867.657797) > 1e-3 {
		t.Errorf("x: %+v", x)
	}
	if !x.Approximate || *x.Distinct < 97000 || *x.Distinct > 103000 {
		t.Errorf("x has about %d distinct values", *x.Distinct)
	}
	total := int64(0)
	for _, b := range x.Histogram {
		total += b.Count
		if b.Count < 4000 || b.Count > 6000 {
			t.Errorf("a bin of %d values up to %s", b.Count, b.UpTo)
		}
	}
	if total != x.Count || len(x.Histogram) != 20 || string(x.Histogram[19].UpTo) != "99999" {
		t.Errorf("histogram %v", x.Histogram)
	}
	if *y.Distinct != 3 || y.Approximate || cmp.Diff(y.Histogram, []stats.Bin{{UpTo: json.RawMessage(`"a"`), Count: 33334}, {UpTo: json.RawMessage(`"b"`), Count: 33333}, {UpTo: json.RawMessage(`"c"`), Count: 33333}}) != "" {
		t.Errorf("y: %+v", y)
	}
	if z.Histogram != nil || z.Mean != nil || *z.Distinct < 97000 || *z.Distinct > 103000 {
		t.Errorf("z: %+v", z)
	}
	if w.Nulls != 25000 || w.NaNs != 25000 || w.Count != 75000 || string(w.Max) != "2.5" || string(w.Min) != "-1e+300" || w.Stddev != nil || len(w.Histogram) != 2 {
		t.Errorf("w: %+v", w)
	}
	if *at.Distinct != 100 || string(at.Max) != `"2011-12-09T00:01:39Z"` || at.Mean != nil || len(at.Histogram) != 20 {
		t.Errorf("t: %+v", at)
	}
	if u.Mean != nil || u.Histogram != nil || u.High != 100000 || u.Count != 100000 || *u.Distinct != 1 {
		t.Errorf("u: %+v", u)
	}
}
