package law

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore"
)

// What the language of the corpus has no words for.

// Fifty runs on several threads over a table of nothing but ties give the same bytes.
func TestTiesFallTheSameWayFiftyTimes(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	copyTo(t, filepath.Join(dir, "src.parquet"), `
SELECT i % 50 AS k, make_timestamp(i // 1000) AS event, make_timestamp(i // 500) AS created,
  hash(i) % 7 AS x, CASE WHEN hash(i) % 5 > 0 THEN 'text' || hash(i * 3) % 11 END AS y
FROM range(30000) t(i) ORDER BY hash(i)`)
	w := newWorld(t, dir, 4, map[string]string{"fstore.yaml": "project: law\n", "defs.yaml": `
kind: entity
name: e
join_keys: [{name: k, type: int64}]
---
kind: source
name: src
path: src.parquet
event_timestamp: event
created_timestamp: created
---
kind: feature_view
name: v
entities: [e]
source: src
features: [{name: y, type: string}, {name: x, type: int64}]
---
kind: feature_service
name: s
features: [v.y]
`})
	defer w.close(t)
	list := w.service(t, w.apply(t), "s")
	var labels []label
	for i := range int64(500) {
		labels = append(labels, label{key: []any{i % 60}, at: i % 70})
	}
	var first []byte
	for run := range 50 {
		w.training(t, list, labels)
		out, err := os.ReadFile(filepath.Join(dir, "out.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = out
		}
		if !bytes.Equal(first, out) {
			t.Fatalf("run %d wrote other bytes than run 0", run)
		}
	}
}

// One view by two key roles: the weather at the origin and at the destination.
func TestOneViewByTwoKeyRoles(t *testing.T) {
	url, dir := startRedis(t), tempDir(t)
	writeTable(t, filepath.Join(dir, "weather.parquet"),
		[]fstore.Field{{Name: "airport", Type: fstore.String}, {Name: "event", Type: fstore.Timestamp}, {Name: "wind", Type: fstore.Float64}},
		[][]any{{"ZRH", int64(100), 1.0}, {"JFK", int64(100), 2.0}, {"ZRH", int64(200), 3.0}, {nil, int64(100), 9.0}})
	w := newWorld(t, dir, 2, map[string]string{"fstore.yaml": "project: law\n", "defs.yaml": `
kind: entity
name: airport
join_keys: [{name: airport, type: string}]
---
kind: source
name: weather
path: weather.parquet
event_timestamp: event
---
kind: feature_view
name: airport_weather
entities: [airport]
source: weather
features: [{name: wind, type: float64}]
---
kind: feature_service
name: flights
features:
  - {ref: airport_weather.*, keys: {airport: origin}, prefix: origin_}
  - {ref: airport_weather.*, keys: {airport: destination}, prefix: destination_}
`})
	defer w.close(t)
	list := w.service(t, w.apply(t), "flights")
	// key columns in name order: destination, origin
	labels := []label{
		{[]any{"JFK", "ZRH"}, 150}, {[]any{"ZRH", "JFK"}, 150}, {[]any{"ZRH", "ZRH"}, 150}, {[]any{nil, "ZRH"}, 150}, {[]any{"CDG", "JFK"}, 150},
	}
	want := [][]any{{1.0, 2.0}, {2.0, 1.0}, {1.0, 1.0}, {1.0, nil}, {2.0, nil}}
	check := func(engine string, got [][]any) {
		t.Helper()
		for i := range want {
			if !same(got[i][0], want[i][0]) || !same(got[i][1], want[i][1]) {
				t.Errorf("%s: %v = %v, want %v", engine, labels[i].key, got[i], want[i])
			}
		}
	}
	got, _ := w.training(t, list, labels)
	check("training", got)
	holders := backends(t, dir, url, "roles")
	defer closeAll(t, holders)
	for _, h := range holders {
		w.publish(t, h, 0, 150, list.Uses[0].Version)
		var keys [][]any
		for _, l := range labels {
			keys = append(keys, l.key)
		}
		check(h.name, w.get(t, h, list, keys, 150))
	}
}

// Files of one source are read by column name: one lacks a column, one has them in another order, one has narrower
// types; a hive partition is a column, and a column is renamed.
func TestFilesOfOneSourceMayLackAColumn(t *testing.T) {
	url, dir := startRedis(t), tempDir(t)
	for name, query := range map[string]string{
		"region=eu/a.parquet": "SELECT 1::BIGINT AS CustomerID, make_timestamp(100) AS event, 5::BIGINT AS x, 'a' AS y",
		"region=eu/b.parquet": "SELECT 'b' AS y, make_timestamp(110) AS event, 2::INTEGER AS CustomerID",
		"region=us/c.parquet": "SELECT 7::SMALLINT AS x, make_timestamp_ns(120000) AS event, 3::BIGINT AS CustomerID",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "data", filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		copyTo(t, filepath.Join(dir, "data", name), query)
	}
	w := newWorld(t, dir, 2, map[string]string{"fstore.yaml": "project: law\n", "defs.yaml": `
kind: entity
name: customer
join_keys: [{name: customer_id, type: int64}]
---
kind: source
name: src
path: data/*/*.parquet
rename: {CustomerID: customer_id}
optional_columns: [x, y]
event_timestamp: event
---
kind: feature_view
name: v
entities: [customer]
source: src
features: [{name: x, type: int64}, {name: y, type: string}, {name: region, type: string}]
---
kind: feature_service
name: s
features: [v.*]
`})
	defer w.close(t)
	list := w.service(t, w.apply(t), "s")
	labels := []label{{[]any{int64(1)}, 200}, {[]any{int64(2)}, 200}, {[]any{int64(3)}, 200}}
	want := fmt.Sprint([][]any{{int64(5), "a", "eu"}, {nil, "b", "eu"}, {int64(7), nil, "us"}})
	if got, _ := w.training(t, list, labels); fmt.Sprint(got) != want {
		t.Errorf("training: %v, want %v", got, want)
	}
	holders := backends(t, dir, url, "files")
	defer closeAll(t, holders)
	for _, h := range holders {
		w.publish(t, h, 0, 200, list.Uses[0].Version)
		if got := w.get(t, h, list, [][]any{{int64(1)}, {int64(2)}, {int64(3)}}, 200); fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %v", h.name, got, want)
		}
	}
}
