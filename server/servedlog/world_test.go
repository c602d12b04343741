package servedlog

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/online/answers"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a log that a test drives without its goroutines.
type world struct {
	*Log
	writer *writer
	now    time.Time
	said   *strings.Builder
}

func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{now: noon, said: &strings.Builder{}}
	o := Options{
		Path: filepath.Join(t.TempDir(), "served"), Sample: 1, By: ByRequest, Keys: PlainKeys, Inputs: WithInputs, Build: "v1", Project: "shop",
		Clock: func() time.Time { return w.now }, Logger: slog.New(slog.NewTextHandler(&locked{b: w.said}, nil)),
	}
	if change != nil {
		change(&o)
	}
	w.Log = New(o)
	w.writer = newWriter(w.Log)
	return w
}

type locked struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// drain writes what waits.
func (w *world) drain() {
	for len(w.queue) > 0 {
		w.writer.add(<-w.queue)
	}
	w.writer.flush(w.now)
}

// end ends the streams and seals them.
func (w *world) end() {
	w.drain()
	w.writer.close()
	w.sweep(context.Background())
}

// listOf returns a service of features of one view by customer_id.
func listOf(name string, features ...fstore.Feature) *fstore.FeatureList {
	key := fstore.Field{Name: "customer_id", Type: fstore.Int64}
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "orders", Version: 1}, View: fstore.View{Name: "orders", Keys: []fstore.Field{key}, Event: "event", Features: features}}
	l := &fstore.FeatureList{
		Service: fstore.ViewRef{Name: name, Version: 2}, Uses: []fstore.ViewUse{{Version: v, Keys: []fstore.KeyBinding{{Key: key, Column: "customer_id"}}}},
	}
	for _, f := range features {
		l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: f.Name, Use: 0, Feature: f.Name})
	}
	return l
}

// one is a feature of a list.
var one = fstore.Feature{Name: "value", Type: fstore.Float64}

// served returns an answer of one for customers.
func served(customers ...int64) *Served {
	c := fstore.NewColumn("value", fstore.Float64, len(customers))
	for _, id := range customers {
		c.AppendFloat64(float64(id) / 2)
	}
	return &Served{At: noon, Columns: []fstore.Column{ids(customers...)}, Answer: &answers.Answer{
		Rows: len(customers), Features: []answers.Feature{{Column: c}},
		Versions: []answers.Version{{Ref: fstore.ViewRef{Name: "orders", Version: 1}, Generation: "00ff", Run: "feed", Published: noon.Add(-time.Hour)}},
	}}
}

func ids(customers ...int64) fstore.Column {
	c := fstore.NewColumn("customer_id", fstore.Int64, len(customers))
	for _, id := range customers {
		c.AppendInt64(id)
	}
	return c
}

// query returns the rows of a query over sealed files, as text; FILES stands for them.
func (w *world) query(t testing.TB, sql string) []string {
	t.Helper()
	var out []string
	for _, b := range w.batches(t, sql) {
		for row := range b.Len {
			var cells []string
			for i := range b.Columns {
				cells = append(cells, string(b.Columns[i].AppendJSON(nil, row)))
			}
			out = append(out, strings.Join(cells, " "))
		}
	}
	return out
}

// engine is one for all tests; it ends with them.
var engine = sync.OnceValues(func() (*duckdb.DB, error) { return duckdb.Open(duckdb.Config{}) })

func (w *world) batches(t testing.TB, sql string) (all []*fstore.Batch) {
	t.Helper()
	db, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.Query(context.Background(), strings.ReplaceAll(sql, "FILES", fmt.Sprintf("read_parquet('%s/*/*/*.parquet')", w.options.Path)))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return all
		}
		c := *b
		c.Columns = slices.Clone(b.Columns)
		all = append(all, &c)
	}
}
