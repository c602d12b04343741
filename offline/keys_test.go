package offline

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"github.com/fstore-dev/fstore"
)

// keys reads the key k of a type from a file of the repo.
func (r *repo) keys(name, typ string) ([]string, error) {
	b, err := r.e.ReadKeys(r.Context(), name, []fstore.Field{fields("k " + typ)}, nil)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, row := range boxed(b) {
		out = append(out, row[0])
	}
	return out, nil
}

// A column of any type gives the key that it means, or is refused: never another key.
func TestKeysHaveTheValueThatTheirTypeMeans(t *testing.T) {
	r := newRepo(t, 1)
	const id = "123e4567-e89b-12d3-a456-426614174000"
	for _, c := range []struct{ column, typ, want string }{
		{"'" + id + "'::UUID", "string", id},
		{"'" + id + "'::UUID", "bytes", ""},
		{"DATE '1970-01-02'", "int64", ""},
		{"DATE '1970-01-02'", "int32", ""},
		{"DATE '1970-01-02'", "timestamp", "1970-01-02T00:00:00Z"},
		{"TIME '00:00:01'", "int64", ""},
		{"TIME '00:00:01'", "timestamp", ""},
		{"TIMESTAMP '1970-01-01 00:00:00.000007'", "int64", ""},
		{"TIMESTAMP '1970-01-01 00:00:00.000007'", "timestamp", "1970-01-01T00:00:00.000007Z"},
		{"TIMESTAMP_MS '1970-01-01 00:00:00.007'", "timestamp", "1970-01-01T00:00:00.007Z"},
		{"TIMESTAMP_NS '1970-01-01 00:00:00.000007'", "timestamp", "1970-01-01T00:00:00.000007Z"},
		{"TIMESTAMP_NS '1970-01-01 00:00:00.000000007'", "timestamp", ""},
		{"TIMESTAMPTZ '1970-01-01 02:00:00+02'", "timestamp", "1970-01-01T00:00:00Z"},
		{"7.00::DECIMAL(9, 2)", "int64", "7"},
		{"7.00::DECIMAL(38, 2)", "int32", "7"},
		{"7.50::DECIMAL(9, 2)", "int64", ""},
		{"7::HUGEINT", "int64", "7"}, // written as a double
		{"7::UBIGINT", "int64", "7"},
		{"18446744073709551615::UBIGINT", "int64", ""},
		{"4294967295::UINTEGER", "int64", "4294967295"},
		{"4294967295::UINTEGER", "int32", ""},
		{"255::UTINYINT", "int32", "255"},
		{"7::DOUBLE", "int64", "7"},
		{"7::FLOAT", "int32", "7"},
		{"'nan'::DOUBLE", "int64", "NULL"},
		{"9007199254740992::DOUBLE", "int64", ""},
		{"9007199254740993", "int64", "9007199254740993"},
		{"'inf'::DOUBLE", "int64", ""},
		{"NULL::BIGINT", "int64", "NULL"},
		{"true", "bool", "true"},
		{"1", "bool", ""},
		{"true", "int64", ""},
		{"'7'", "int64", ""},
		{"7", "string", ""},
		{"'a'", "bytes", ""},
		{"'a'::BLOB", "string", ""},
		{"'a'::BLOB", "bytes", "[97]"},
		{"'a'::ENUM('a')", "string", "a"},
		{"[7]", "int64", ""},
		{"{'a': 7}", "int64", ""},
		{"INTERVAL 7 DAYS", "int64", ""},
	} {
		t.Run(c.column+" as "+c.typ, func(t *testing.T) {
			r := &repo{t, r.e, r.dir}
			r.write("k.parquet", "SELECT 'other' AS o, "+c.column+" AS k")
			got, err := r.keys("k.parquet", c.typ)
			switch {
			case c.want == "" && !errors.Is(err, fstore.ErrInvalid):
				t.Errorf("got %q, %v, want a refusal", got, err)
			case c.want != "" && (err != nil || len(got) != 1 || got[0] != c.want):
				t.Errorf("got %q, %v, want %s", got, err, c.want)
			}
		})
	}
}

// A file that the one takes the other takes, and as the same keys.
func TestKeysAreThoseThatLabelsHave(t *testing.T) {
	r := newRepo(t, 2)
	v := history(r)
	for name, write := range map[string]func(){
		"l.csv":    func() { r.put("l.csv", "o;k;t\nx;1;2011-12-10\ny;;2011-12-10\nz;2.0;2011-12-10\n") },
		"l.tsv":    func() { r.put("l.tsv", "o\tk\tt\nx,y\t1\t2011-12-10\n") },
		"l.csv.gz": func() { r.put("l.csv.gz", zipped("k|t\n1|2011-12-10\n")+zipped("2|2011-12-10\n")) },
		"l.TSV.GZ": func() { r.put("l.TSV.GZ", zipped("k\tt\n1\t2011-12-10\n")) },
		"l.parquet": func() {
			r.write("l.parquet", values("k UTINYINT | t TIMESTAMP", "1 | 2011-12-10", "NULL | 2011-12-10", "2 | 2011-12-10"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			write()
			keys, err := r.keys(name, "int64")
			if err != nil {
				t.Fatal(err)
			}
			rows, _ := r.train(r.request(name, all(v)))
			var found []string
			for i, row := range rows {
				want := "NULL"
				if keys[i] == "1" {
					want = "10"
				}
				if got := row[len(row)-1]; got != want {
					t.Errorf("row %d, key %s: label got %s, want %s", i+1, keys[i], got, want)
				}
				found = append(found, keys[i])
			}
			if len(found) != len(keys) || keys[0] != "1" {
				t.Errorf("keys %q, labels %q", keys, rows)
			}
		})
	}
}

func (r *repo) put(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o644); err != nil {
		r.Fatal(err)
	}
}

func zipped(text string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return out.String()
}

func TestCompressedRowsThatAreDamagedAreRefused(t *testing.T) {
	r := newRepo(t, 2)
	v := history(r)
	rows := "k,t\n" + strings.Repeat("1,2011-12-10\n", 20000)
	whole := zipped(rows)
	flipped := []byte(whole)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	for name, content := range map[string]string{
		"cut": whole[:len(whole)/2], "cut in the trailer": whole[:len(whole)-4], "no gzip": rows, "empty": "", "checksum": string(flipped),
		"garbage at the end": whole + "garbage",
	} {
		t.Run(name, func(t *testing.T) {
			r.put("l.csv.gz", content)
			keys, err := r.keys("l.csv.gz", "int64")
			if !errors.Is(err, fstore.ErrInvalid) {
				t.Errorf("keys: %d rows, %v", len(keys), err)
			}
			if _, err := r.e.TrainingSet(t.Context(), r.request("l.csv.gz", all(v))); !errors.Is(err, fstore.ErrInvalid) {
				t.Errorf("labels: %v", err)
			}
		})
	}
}

func TestKeysOfOldTimestamps(t *testing.T) {
	r := newRepo(t, 1)
	type old struct {
		K deprecated.Int96 `parquet:"k"`
	}
	// 1970-01-02 00:00:00: no nanoseconds of Julian day 2440589
	if err := parquet.WriteFile(filepath.Join(r.dir, "k.parquet"), []old{{deprecated.Int96{0, 0, 2440589}}}); err != nil {
		t.Fatal(err)
	}
	got, err := r.keys("k.parquet", "timestamp")
	if diff := cmp.Diff([]string{"1970-01-02T00:00:00Z"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	_, err = r.keys("k.parquet", "int64")
	r.fails(err, "column k is TIMESTAMP", "never equal")
}

// pandas writes a column that is all null, and every column of an empty frame of objects, without a type.
func TestAColumnWithoutATypeIsNullsOfTheKeysType(t *testing.T) {
	r := newRepo(t, 1)
	v := history(r)
	for _, rows := range []int{0, 2} {
		content, err := os.ReadFile(fmt.Sprintf("testdata/untyped/rows%d.parquet", rows))
		if err != nil {
			t.Fatal(err)
		}
		r.put("k.parquet", string(content))
		for _, typ := range []string{"int64", "string", "bytes", "bool", "timestamp"} {
			got, err := r.keys("k.parquet", typ)
			if diff := cmp.Diff([]string{"NULL", "NULL"}[:rows], got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", typ, err, diff)
			}
		}
		if got, _ := r.train(r.request("k.parquet", all(v))); len(got) != rows {
			t.Errorf("labels: got %q", got)
		}
	}
}

func TestAFileWithoutRowsHasNoKeys(t *testing.T) {
	r := newRepo(t, 1)
	r.write("k.parquet", values("k BIGINT"))
	r.put("k.csv", "k,o\n")
	r.put("k.json", "[]")
	r.put("k.jsonl", "")
	for _, name := range []string{"k.parquet", "k.csv", "k.json", "k.jsonl"} {
		if got, err := r.keys(name, "int64"); err != nil || len(got) != 0 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestMistakesInKeysAreNamed(t *testing.T) {
	r := newRepo(t, 1)
	r.write("no.parquet", "SELECT 1 AS id")
	r.put("no.csv", "id,o\n1,2\n")
	r.put("empty.csv", "")
	r.put("latin.csv", "k,caf\xe9\n1,2\n")
	r.put("text.csv", "k\n1\nx\n")
	r.put("k.xlsx", "PK")
	for name, want := range map[string]string{
		"no.parquet": "there is no column k, a join key", "no.csv": "there is no column k, a join key", "empty.csv": "does not begin with a header",
		"latin.csv": "the header is not UTF-8", "text.csv": `row 2: column k: "x" is not an int64`, "k.xlsx": "its name does not say what kind of file it is", "none.csv": "no such file",
		"none.json": "no such file", ".": "what kind of file it is",
	} {
		_, err := r.keys(name, "int64")
		r.fails(err, want)
	}
	r.put("l.jsonl", `{"k":1,"t":"2011-12-10"}`)
	_, err := r.e.TrainingSet(t.Context(), r.request("l.jsonl", all(history(r))))
	r.fails(err, "l.jsonl is JSON, by its name: labels are Parquet or CSV", ".csv.gz")
}

// FuzzKeyJSON holds that a file of JSON gives whole rows of text, or a mistake with words.
func FuzzKeyJSON(f *testing.F) {
	for _, s := range []string{`[{"k":1,"s":"x"}]`, `{"k":1,"s":"\u0000"} {"k":null,"s":null}`, `[{"k":1,"s":"\ud800"}]`, `[1]`, `null`, "{\"k\":1,\"s\":\"\xff\"}", `[[]]`, `{"k":1,"k":2,"s":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := newJSONRows([]fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "s", Type: fstore.String}}, nil)
		err := b.appendJSON(strings.NewReader(text), someValues)
		if err == nil && (b.Columns[0].Len != b.Len || b.Columns[1].Len != b.Len) {
			t.Errorf("columns of %d and %d rows, not %d", b.Columns[0].Len, b.Columns[1].Len, b.Len)
		}
		for i, s := range b.Columns[1].Strings {
			if !utf8.ValidString(s) {
				t.Errorf("row %d is %q", i, s)
			}
		}
		if err != nil && err.Error() == "" {
			t.Errorf("a mistake without words")
		}
	})
}

// Request columns of a file follow the rules of labels: they convert, instants round down, and those with a default may be
// missing.
func TestRequestColumnsOfAKeyFile(t *testing.T) {
	r := newRepo(t, 1)
	one := fstore.NewColumn("", fstore.Float64, 1)
	one.AppendFloat64(1)
	keys := []fstore.Field{{Name: "k", Type: fstore.Int64}}
	request := []fstore.RequestColumn{
		{Name: "lat", Type: fstore.Float64}, {Name: "lon", Type: fstore.Float64, Default: &fstore.Value{Column: one}}, {Name: "when", Type: fstore.Timestamp},
	}
	r.write("k.parquet", "SELECT 1::BIGINT AS k, 'nan'::DOUBLE AS lat, TIMESTAMP_NS '1960-01-01 00:00:00.123456789' AS \"when\"")
	r.put("k.csv", "when,lat,k,more\n1960-01-01T00:00:00.123456789Z,,1,x\n")
	r.put("k.jsonl", `{"k":1,"when":"1960-01-01T00:00:00.123456789Z","lat":null}`)
	for _, name := range []string{"k.parquet", "k.csv", "k.jsonl"} {
		b, err := r.e.ReadKeys(t.Context(), name, keys, request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff([][]string{{"1", "NULL", "NULL", "1960-01-01T00:00:00.123456Z"}}, boxed(b)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	r.put("no.csv", "k,lon\n1,2\n")
	r.put("no.json", `[{"k":1,"when":null}]`)
	_, err := r.e.ReadKeys(t.Context(), "no.csv", keys, request)
	r.fails(err, "there is no column lat, a request column of the features", "it is a float64; the columns are k, lon")
	_, err = r.e.ReadKeys(t.Context(), "no.json", keys, request)
	r.fails(err, "row 1: column lat: the request column is missing")
}

// Request columns of every kind of file have the values that labels give.
func TestRequestColumnsOfKeyFiles(t *testing.T) {
	r := newRepo(t, 1)
	keys := []fstore.Field{fields("k int64")}
	request := []fstore.RequestColumn{
		{Name: "price", Type: fstore.Float64},
		{Name: "tags", Type: fstore.List(fstore.Float32)},
		{Name: "note", Type: fstore.String},
		{Name: "since", Type: fstore.Timestamp},
		{Name: "gift", Type: fstore.Bool, Default: value(fstore.Bool, true)},
		{Name: "pieces", Type: fstore.Int32, Default: value(fstore.Int32, int32(1))},
	}
	r.write("k.parquet", values("note VARCHAR | k BIGINT | price DOUBLE | tags DOUBLE[] | since TIMESTAMP_NS | gift BOOLEAN | other BIGINT",
		"7 | 1 | 2.5 | [1, 2.5] | 2011-12-10 00:00:00.000001999 | true | 1", "NULL | 2 | NaN | NULL | NULL | NULL | 2", "x | 3 | inf | [] | 2011-12-10 | false | 3"))
	r.put("k.csv", "note,k,price,tags,since,gift,other\n7,1,2.5,\"[1, 2.5]\",2011-12-10T00:00:00.000001999Z,true,1\n,2,NaN,,,,2\nx,3,inf,[],2011-12-10,false,3\n")
	r.put("k.json", `[{"k":1,"note":"7","price":2.5,"tags":[1,2.5],"since":"2011-12-10T00:00:00.000001Z","gift":true,"other":1},
		{"k":2,"note":null,"price":null,"tags":null,"since":null},{"k":3,"note":"x","price":"Infinity","tags":[],"since":"2011-12-10","gift":false}]`)
	for _, name := range []string{"k.parquet", "k.csv", "k.json"} {
		b, err := r.e.ReadKeys(t.Context(), name, keys, request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for row := range b.Len {
			line := ""
			for i := range b.Columns {
				line += string(b.Columns[i].AppendJSON(nil, row)) + " "
			}
			got = append(got, strings.TrimSpace(line))
		}
		want := []string{
			`1 2.5 [1,2.5] "7" "2011-12-10T00:00:00.000001Z" true null`, "2 null null null null null null", `3 "Infinity" [] "x" "2011-12-10T00:00:00Z" false null`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}

	r.write("none.parquet", values("k BIGINT", "1"))
	r.put("none.csv", "k\n1\n")
	r.put("none.json", `{"k":1}`)
	r.put("text.csv", "k,price\n1,2\n2,x\n")
	r.put("text.json", `[{"k":1,"price":2},{"k":1,"price":"x"}]`)
	r.write("text.parquet", values("k BIGINT | price VARCHAR", "1 | 2"))
	for name, want := range map[string]string{
		"none.parquet": "there is no column price, a request column of the features", "none.csv": "there is no column price, a request column of the features",
		"none.json": "row 1: column price: the request column is missing", "text.csv": `row 2: column price: "x" is not a float64`,
		"text.json": `row 2: column price: "x" is not a float64`, "text.parquet": "column price is VARCHAR, but the request column is float64",
	} {
		_, err := r.e.ReadKeys(t.Context(), name, keys, request[:1])
		r.fails(err, want)
	}
	for _, name := range []string{"none.parquet", "none.csv", "none.json"} {
		b, err := r.e.ReadKeys(t.Context(), name, nil, request[5:]) // no column of the file is read
		if err != nil || b.Len != 1 || !b.Columns[0].IsNull(0) {
			t.Errorf("%s: got %+v, %v", name, b, err)
		}
	}
}
