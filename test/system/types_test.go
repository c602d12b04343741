package system

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/sqltype"
)

// sample is a value: as an SQL literal that becomes its type when it is cast, and as fstore writes it in JSON.
type sample struct{ sql, json string }

// samples are two values of every scalar type.
var samples = map[fstore.Type][2]sample{
	fstore.Bool:      {{"true", "true"}, {"false", "false"}},
	fstore.Int32:     {{"-2147483648", "-2147483648"}, {"7", "7"}},
	fstore.Int64:     {{"9007199254740993", "9007199254740993"}, {"-1", "-1"}},
	fstore.Float32:   {{"'nan'", `"NaN"`}, {"'0.1'", "0.1"}},
	fstore.Float64:   {{"'-inf'", `"-Infinity"`}, {"'0.1'", "0.1"}},
	fstore.String:    {{"'null'", `"null"`}, {"'ü\"'", `"ü\""`}},
	fstore.Bytes:     {{`'\x00\xFF'`, `"AP8="`}, {"'x'", `"eA=="`}},
	fstore.Timestamp: {{"'2011-12-09 12:50:00.000001'", `"2011-12-09T12:50:00.000001Z"`}, {"'1969-12-31'", `"1969-12-31T00:00:00Z"`}},
}

// typed reads a feature, and makes a key column, by the Go type that Go clients use for a type.
var typed = map[fstore.Type]struct {
	values func(*client.Answer, string) (any, error)
	keys   func(*fstore.Column) fstore.Column
}{
	fstore.Bool:      {valuesAs[bool], keysAs[bool]},
	fstore.Int32:     {valuesAs[int32], keysAs[int32]},
	fstore.Int64:     {valuesAs[int64], keysAs[int64]},
	fstore.Float32:   {valuesAs[float32], keysAs[float32]},
	fstore.Float64:   {valuesAs[float64], keysAs[float64]},
	fstore.String:    {valuesAs[string], keysAs[string]},
	fstore.Bytes:     {valuesAs[[]byte], keysAs[[]byte]},
	fstore.Timestamp: {valuesAs[time.Time], keysAs[time.Time]},
}

func valuesAs[T client.Value](a *client.Answer, feature string) (any, error) {
	return client.Values[T](a, feature)
}

func keysAs[T client.Value](c *fstore.Column) fstore.Column {
	var values []T
	for i := range c.Len {
		values = append(values, c.Value(i).(T))
	}
	return client.Keys(c.Name, values...)
}

// typeWorld is a repo with features and keys of every type, and what they are.
type typeWorld struct {
	*repo
	definitions strings.Builder
	things      []string            // columns of the file with the features, as SQL
	keys        []fstore.Column     // of two rows; the column of a type is named k_ and the type
	want        map[string][]string // by feature and row, in JSON
	types       map[string]fstore.Type
}

// Every type goes all the way: from its definition and a Parquet file through a training set, a materialization and a record
// to the answers of the command, of the server over gRPC and HTTP, in its own words and in Feast's, and of the Go client. A value, a null, a default, a list
// and a key of the type come out as they went in.
func TestEveryTypeGoesAllTheWay(t *testing.T) {
	w := &typeWorld{repo: newRepo(t, ""), want: map[string][]string{}, types: map[string]fstore.Type{}}
	w.define()
	w.write("fstore.yaml", "project: types\n")
	w.write("types.yaml", w.definitions.String())
	w.copyTo("things.parquet", w.things)
	w.copyTo("labels.parquet", []string{"unnest([1, 2, 3]) AS id", "TIMESTAMP '2020-01-02' AS event_timestamp"})
	w.writeKeys()
	w.must("apply", "--yes")

	w.must("training-set", "create", "features", "--service", "features", "--labels", "labels.parquet", "--out", "features.parquet")
	w.must("training-set", "create", "keyed", "--service", "keyed", "--labels", "keys.csv", "--out", "keyed.parquet")
	w.must("training-set", "rebuild", "features", "--out", "again.parquet")
	if w.read("again.parquet") != w.read("features.parquet") {
		t.Error("the training set is rebuilt as another file")
	}
	w.sameColumns("features.parquet")
	w.sameColumns("keyed.parquet")

	w.materialize()
	w.must("verify")
	s := w.serve("--feast")
	ids := fstore.NewColumn("id", fstore.Int64, 3)
	for id := range int64(3) {
		ids.Append(id + 1)
	}
	w.answers(s, "features", []fstore.Column{ids})
	w.answers(s, "keyed", w.keys)
	for _, scalar := range fstore.Scalars() {
		for _, typ := range []fstore.Type{scalar, fstore.List(scalar)} {
			w.feastAnswers(s, "features", nameOf(typ), &ids)
			w.feastAnswers(s, "features", nameOf(typ)+"_or", &ids)
		}
	}
	for i := range w.keys {
		typ := w.keys[i].Type.String()
		w.feastAnswers(s, "by_"+typ, "found_"+typ, &w.keys[i])
	}
}

// nameOf returns the name of the feature of a type.
func nameOf(typ fstore.Type) string {
	return strings.NewReplacer("<", "_of_", ">", "").Replace(typ.String())
}

// define writes the definitions, and notes what comes out.
func (w *typeWorld) define() {
	w.things = []string{"unnest([1, 2, 3]) AS id", "TIMESTAMP '2020-01-01' AS event"}
	w.definitions.WriteString(`
{kind: entity, name: thing, join_keys: [{name: id, type: int64}]}
---
{kind: source, name: things, path: things.parquet, event_timestamp: event}
---
{kind: source, name: keys, path: keys.parquet, event_timestamp: event}
---
kind: feature_view
name: features
entities: [thing]
source: things
features:
`)
	var keyed []string
	for _, scalar := range fstore.Scalars() {
		v, ok := samples[scalar]
		if !ok {
			w.t.Errorf("samples has no values of type %s", scalar)
			continue
		}
		list := fmt.Sprintf("[%s,%s]", v[0].json, v[1].json)
		w.feature(scalar, []string{v[0].sql, v[1].sql, "NULL"}, []string{v[0].json, v[1].json, "null"}, v[0].json)
		w.feature(fstore.List(scalar), []string{"[" + v[0].sql + ", " + v[1].sql + "]", "[]", "NULL"}, []string{list, "[]", "null"}, list)
		if scalar.IsKey() {
			w.key(scalar, v)
			keyed = append(keyed, "by_"+scalar.String()+".*")
		}
	}
	for _, k := range w.keys {
		fmt.Fprintf(&w.definitions, "---\n{kind: entity, name: %s, join_keys: [{name: %s, type: %s}]}\n", k.Name, k.Name, k.Type)
		fmt.Fprintf(&w.definitions, "---\n{kind: feature_view, name: by_%s, entities: [%s], source: keys, features: [{name: found_%s, type: int64, column: found}]}\n",
			k.Type, k.Name, k.Type)
	}
	fmt.Fprintf(&w.definitions, "---\n{kind: feature_service, name: features, features: ['features.*']}\n---\n{kind: feature_service, name: keyed, features: ['%s']}\n",
		strings.Join(keyed, "', '"))
}

// feature adds a column of a type with three rows, a feature of it, and the same feature with a default.
func (w *typeWorld) feature(typ fstore.Type, sql, want []string, def string) {
	name := nameOf(typ)
	w.things = append(w.things, fmt.Sprintf("unnest([%s]::%s[]) AS %q", strings.Join(sql, ", "), sqltype.Of(typ), name))
	fmt.Fprintf(&w.definitions, "  - {name: %s, type: %s}\n  - {name: %s_or, type: %s, column: %s, default: %s}\n", name, typ, name, typ, name, def)
	w.want[name], w.types[name] = want, typ
	w.want[name+"_or"], w.types[name+"_or"] = []string{want[0], want[1], def}, typ
}

// key adds a key column with both values of a type.
func (w *typeWorld) key(typ fstore.Type, v [2]sample) {
	c := fstore.NewColumn("k_"+typ.String(), typ, 2)
	for _, value := range v {
		if err := c.AppendParsed(json.RawMessage(value.json)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.keys = append(w.keys, c)
	w.want["found_"+typ.String()], w.types["found_"+typ.String()] = []string{"1", "2"}, fstore.Int64
}

// writeKeys writes the keys as the file of a source, and as labels in CSV.
func (w *typeWorld) writeKeys() {
	columns := []string{"unnest([1, 2]) AS found", "TIMESTAMP '2020-01-01' AS event"}
	rows := [][]string{{"event_timestamp"}, {"2020-01-02"}, {"2020-01-02"}}
	for _, k := range w.keys {
		v := samples[k.Type]
		columns = append(columns, fmt.Sprintf("unnest([%s, %s]::%s[]) AS %s", v[0].sql, v[1].sql, sqltype.Of(k.Type), k.Name))
		rows[0] = append(rows[0], k.Name)
		for i := range v {
			text := v[i].json
			if strings.HasPrefix(text, `"`) {
				if err := json.Unmarshal([]byte(text), &text); err != nil {
					w.t.Fatal(err)
				}
			}
			rows[i+1] = append(rows[i+1], text)
		}
	}
	w.copyTo("keys.parquet", columns)
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(rows); err != nil {
		w.t.Fatal(err)
	}
	w.write("keys.csv", text.String())
}

// query runs SQL in DuckDB and returns its rows, at most one batch.
func (w *typeWorld) query(sql string) *fstore.Batch {
	w.t.Helper()
	db, err := duckdb.Open(duckdb.Config{Threads: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Connect(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.Query(w.t.Context(), sql)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, sql)
	}
	defer rows.Close()
	batch, err := rows.Next()
	if err != nil {
		w.t.Fatalf("%v\n%s", err, sql)
	}
	return batch
}

func (w *typeWorld) path(file string) string { return "'" + filepath.Join(w.dir, file) + "'" }

func (w *typeWorld) copyTo(file string, columns []string) {
	w.t.Helper()
	w.query("COPY (SELECT " + strings.Join(columns, ", ") + ") TO " + w.path(file) + " (FORMAT parquet)")
}

// same compares a feature, wherever it comes from, with what it has to be.
func (w *typeWorld) same(where string, c *fstore.Column) {
	w.t.Helper()
	var got []string
	for i := range c.Len {
		got = append(got, string(c.AppendJSON(nil, i)))
	}
	w.sameJSON(where, c.Name, c.Type.String(), got)
}

func (w *typeWorld) sameJSON(where, name, typ string, got []string) {
	w.t.Helper()
	if want := w.types[name].String(); typ != want {
		w.t.Errorf("%s: %s has type %s, want %s", where, name, typ, want)
	}
	if diff := cmp.Diff(got, w.want[name]); diff != "" {
		w.t.Errorf("%s: %s (got, want):\n%s", where, name, diff)
	}
}

// sameColumns compares the features of a training set.
func (w *typeWorld) sameColumns(file string) {
	w.t.Helper()
	batch, compared := w.query("SELECT * EXCLUDE event_timestamp FROM "+w.path(file)), 0
	for i := range batch.Columns {
		if c := &batch.Columns[i]; w.want[c.Name] != nil {
			w.same(file, c)
			compared++
		}
	}
	if compared == 0 {
		w.t.Errorf("%s has no features", file)
	}
}

// answers asks for a service in every way there is and compares what comes.
func (w *typeWorld) answers(s *served, service string, keys []fstore.Column) {
	w.t.Helper()
	get := []string{"get", "--service", service, "--output", "json"}
	columns, rows := &bytes.Buffer{}, fstore.Batch{Columns: keys, Len: keys[0].Len}
	for i := range keys {
		fmt.Fprintf(columns, "%q:%s,", keys[i].Name, keys[i].AppendValuesJSON(nil))
	}
	for row := range rows.Len {
		get = append(get, "--entity", string(rows.AppendRowJSON(nil, row)))
	}
	w.sameAnswer("get "+service, w.must(get...))
	w.sameAnswer("get --grpc "+service, w.must(append(slices.Clone(get), "--grpc", s.grpc)...))
	_, answer := send(w.t, s, "POST", "/v1/online-features", fmt.Sprintf(`{"service":%q,"entities":{%s}}`, service, bytes.TrimSuffix(columns.Bytes(), []byte(","))))
	w.sameAnswer("HTTP "+service, answer)
	w.clientAnswers(s, service, keys)
}

func (w *typeWorld) sameAnswer(where, text string) {
	w.t.Helper()
	var answer struct {
		Features []struct {
			Name, Type string
			Values     []json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Features) == 0 {
		w.t.Fatalf("%s: %v\n%s", where, err, text)
	}
	for _, f := range answer.Features {
		var got []string
		for _, v := range f.Values {
			got = append(got, string(v))
		}
		w.sameJSON(where, f.Name, f.Type, got)
	}
}

// clientAnswers asks with the Go client, and reads its answer by column and by Go type.
func (w *typeWorld) clientAnswers(s *served, service string, keys []fstore.Column) {
	w.t.Helper()
	req := client.Request{Selection: client.Selection{Service: service}}
	for i := range keys {
		to, ok := typed[keys[i].Type]
		if !ok {
			w.t.Errorf("typed has no Go type for %s", keys[i].Type)
			return
		}
		req.Keys = append(req.Keys, to.keys(&keys[i]))
	}
	answer, err := client.New(s.conn, client.Options{}).Get(w.t.Context(), req)
	if err != nil {
		w.t.Fatalf("client, %s: %v", service, err)
	}
	for i := range answer.Features {
		c := &answer.Features[i].Column
		w.same("client, "+service, c)
		if c.Type.IsList() {
			continue
		}
		to, ok := typed[c.Type]
		if !ok {
			w.t.Errorf("typed has no Go type for %s", c.Type)
			continue
		}
		values, err := to.values(answer, c.Name)
		if err != nil {
			w.t.Errorf("client.Values of %s: %v", c.Name, err)
			continue
		}
		for row := range c.Len {
			got := reflect.ValueOf(values).Index(row).Interface()
			if want := c.Value(row); want != nil && fmt.Sprint(got) != fmt.Sprint(want) {
				w.t.Errorf("client.Values of %s, row %d: %v, want %v", c.Name, row, got, want)
			}
		}
	}
}
