package offline

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fstore-dev/fstore"
)

// day is the origin of the tests' times.
var day = time.Date(2011, 12, 9, 0, 0, 0, 0, time.UTC)

// repo is a folder with data and an engine over it.
type repo struct {
	testing.TB
	e   *Engine
	dir string
}

func newRepo(t *testing.T, threads int) *repo {
	t.Helper()
	dir := t.TempDir()
	e, err := Open(Options{Threads: threads, Dir: dir, TempDir: filepath.Join(dir, "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return &repo{t, e, dir}
}

// write writes the rows of a query to a file of the repo, in their order.
func (r *repo) write(name, sql string) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	s, err := r.e.session(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	options := "FORMAT parquet"
	if strings.HasSuffix(name, ".csv") {
		options = "FORMAT csv, HEADER"
	}
	if err := s.exec(context.Background(), "COPY (\n"+sql+"\n) TO "+text(path)+" ("+options+")"); err != nil {
		r.Fatalf("write %s: %v", name, err)
	}
}

// read returns the rows of a Parquet file, each value as text, and the columns.
func (r *repo) read(name string) (rows [][]string, columns []fstore.EngineColumn) {
	r.Helper()
	s, err := r.e.session(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	from := readParquet([]string{filepath.Join(r.dir, name)}, false)
	if columns, err = s.describe(context.Background(), "SELECT * FROM "+from); err != nil {
		r.Fatal(err)
	}
	b, err := s.query(context.Background(), "SELECT COLUMNS(*)::VARCHAR FROM "+from)
	if err != nil {
		r.Fatal(err)
	}
	return boxed(b), columns
}

func boxed(b *fstore.Batch) [][]string {
	var out [][]string
	for i := range b.Len {
		var row []string
		for c := range b.Columns {
			v := b.Columns[c].Value(i)
			if at, ok := v.(time.Time); ok {
				v = fstore.FormatTime(at)
			}
			if v == nil {
				v = "NULL"
			}
			row = append(row, fmt.Sprint(v))
		}
		out = append(out, row)
	}
	return out
}

// asOf returns all rows of a view as of an instant, as text.
func (r *repo) asOf(v *fstore.ViewVersion, p time.Time) ([][]string, error) {
	var out [][]string
	for b, err := range r.e.AsOf(context.Background(), v, p) {
		if err != nil {
			return nil, err
		}
		out = append(out, boxed(b)...)
	}
	return out, nil
}

// request is a training set of lists' features over a label file.
func (r *repo) request(labels string, list *fstore.FeatureList) TrainingRequest {
	return TrainingRequest{
		Name: "t", List: list, Labels: Labels{Path: labels}, Timestamp: "t", Out: filepath.Join(r.dir, "out.parquet"), Now: day.AddDate(1, 0, 0),
	}
}

func (r *repo) train(req TrainingRequest) ([][]string, *TrainingSummary) {
	r.Helper()
	s, err := r.e.TrainingSet(context.Background(), req)
	if err != nil {
		r.Fatal(err)
	}
	rows, _ := r.read("out.parquet")
	return rows, s
}

// source returns a source over a file, whose rows are available at their event time.
func source_(path string) fstore.Source { //nolint:revive // source is what tests call its result
	return fstore.Source{Name: "s", Path: path, Event: "event", Available: fstore.Available{Stated: true}}
}

// view returns version 1 of a view over a source by join keys and features, both given as "name type".
func view(src fstore.Source, keys, features []string) *fstore.ViewVersion {
	v := fstore.View{Name: "v", Source: src.Name, Inputs: []string{src.Name}, Event: src.Event, Created: src.Created, Available: src.Available}
	for _, k := range keys {
		v.Keys = append(v.Keys, fields(k))
	}
	fstore.SortFields(v.Keys)
	for _, f := range features {
		x := fields(f)
		v.Features = append(v.Features, fstore.Feature{Name: x.Name, Type: x.Type, Column: x.Name})
	}
	return &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 1}, View: v, Sources: []fstore.Source{src}}
}

// query returns version 1 of a view by SQL.
func query(sql string, keys, features []string, sources ...fstore.Source) *fstore.ViewVersion {
	v := view(fstore.Source{Event: "event"}, keys, features)
	v.View.Source, v.View.SQL, v.View.Inputs, v.Sources = "", sql, nil, sources
	return v
}

func fields(s string) fstore.Field {
	name, typ, _ := strings.Cut(s, " ")
	t, err := fstore.ParseType(typ)
	if err != nil {
		panic(err)
	}
	return fstore.Field{Name: name, Type: t}
}

// all returns the list of all features of views, looked up by columns named like their keys.
func all(views ...*fstore.ViewVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{}
	for i, v := range views {
		u := fstore.ViewUse{Version: v}
		for _, k := range v.View.Keys {
			u.Keys = append(u.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
		}
		l.Uses = append(l.Uses, u)
		for _, f := range v.View.Features {
			l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: f.Name, Use: i, Feature: f.Name})
		}
	}
	return l
}

// values returns a query of rows written "1 | 2011-12-09 | NULL", with columns written "k BIGINT | event TIMESTAMP".
func values(columns string, rows ...string) string {
	var names, casts, tuples []string
	for _, c := range strings.Split(columns, "|") {
		name, typ, _ := strings.Cut(strings.TrimSpace(c), " ")
		names = append(names, name)
		casts = append(casts, name+"::"+typ+" AS "+name)
	}
	for _, row := range rows {
		var cells []string
		for _, cell := range strings.Split(row, "|") {
			if cell = strings.TrimSpace(cell); cell != "NULL" {
				cell = text(cell)
			}
			cells = append(cells, cell)
		}
		tuples = append(tuples, "("+strings.Join(cells, ", ")+")")
	}
	if len(rows) == 0 {
		return "SELECT " + strings.Join(casts, ", ") + " FROM (VALUES (" + strings.TrimSuffix(strings.Repeat("NULL, ", len(names)), ", ") + ")) x(" + strings.Join(names, ", ") + ") WHERE false"
	}
	return "SELECT " + strings.Join(casts, ", ") + "\nFROM (VALUES\n  " + strings.Join(tuples, ",\n  ") + ") x(" + strings.Join(names, ", ") + ")"
}

// pad adds labels without a key behind those of a query, so that there are more than 64: DuckDB then joins another way.
func pad(labels string) string {
	return labels + "\nUNION ALL BY NAME\nSELECT TIMESTAMP '2011-12-09' AS t\nFROM range(100)"
}

// everyWay runs a test on 1 and on 4 threads, with few labels and with many. The label rows of the test are the first.
func everyWay(t *testing.T, test func(r *repo, labels func(string) string)) {
	for _, threads := range []int{1, 4} {
		for _, padded := range []bool{false, true} {
			t.Run(fmt.Sprintf("threads=%d/padded=%v", threads, padded), func(t *testing.T) {
				test(newRepo(t, threads), func(sql string) string {
					if padded {
						return pad(sql)
					}
					return sql
				})
			})
		}
	}
}

// check compares the first rows of a result.
func (r *repo) check(got [][]string, want ...string) {
	r.Helper()
	var text []string
	for _, row := range got[:min(len(got), len(want))] {
		text = append(text, strings.Join(row, " | "))
	}
	if diff := cmp.Diff(want, text, cmpopts.EquateEmpty()); diff != "" {
		r.Error(diff)
	}
}

func (r *repo) fails(err error, parts ...string) {
	r.Helper()
	if err == nil {
		r.Error("no error")
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			r.Errorf("%q is not in: %v", p, err)
		}
	}
}

func ttl(d time.Duration) *fstore.Duration {
	x := fstore.Duration(d)
	return &x
}

func value(t fstore.Type, v any) *fstore.Value {
	c := fstore.NewColumn("", t, 1)
	c.Append(v)
	return &fstore.Value{Column: c}
}

func inf() float64 { return math.Inf(1) }

// checkAsOf compares all of a view's rows as of an instant, given as what it is behind day.
func (r *repo) checkAsOf(v *fstore.ViewVersion, behind time.Duration, want ...string) {
	r.Helper()
	got, err := r.asOf(v, day.Add(behind))
	if err != nil {
		r.Error(err)
		return
	}
	if len(got) != len(want) {
		r.Errorf("as of %s: %d rows, want %d: %v", day.Add(behind), len(got), len(want), got)
		return
	}
	r.check(got, want...)
}
