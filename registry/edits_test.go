package registry_test

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry"
)

// Which edits make a new version of customer_orders, and of order_trend, which reads it.
func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name         string
		edits        []string
		orders, next int
		changes      string
	}{
		{"description", []string{"Value of the latest order, in pounds", "Pounds"}, 1, 1, "-features.order_value.description"},
		{"owner", []string{"growth@", "team@"}, 1, 1, "-owner"},
		{"tags", []string{"tier: gold", "tier: silver"}, 1, 1, "-tags.tier"},
		{"comment in SQL", []string{"-- one row per invoice", "-- a row for each invoice"}, 1, 1, "-sql"},
		{"case and layout of SQL", []string{"select customer_id, invoice_no, invoice_date", "SELECT Customer_ID,\n invoice_NO, Invoice_Date", "orders as o", "Orders AS O"}, 1, 1, "-sql"},
		{"constant in SQL", []string{"customer_id is not null", "customer_id <> 12"}, 2, 2, "+sql"},
		{"ttl", []string{"ttl: 90d", "ttl: 91d"}, 2, 1, "+ttl"},
		{"ttl written another way", []string{"ttl: 90d", "ttl: 2160h"}, 1, 1, ""},
		{"publish", []string{"delay: 1h", "delay: 2h"}, 2, 1, "+publish.delay"},
		{"default", []string{"default: 0", "default: 1"}, 2, 1, "+features.order_lines.default"},
		{"type", []string{"name: order_lines, type: int64", "name: order_lines, type: int32"}, 2, 2, "+features.order_lines.type"},
		{"order of features", []string{
			"  - {name: order_lines, type: int64, default: 0, column: n}\nowner", "owner",
			"ttl: 90d\npublish: {every: 1d, offset: 2h, delay: 1h}\nfeatures:", "ttl: 90d\npublish: {every: 1d, offset: 2h, delay: 1h}\nfeatures:\n  - {name: order_lines, type: int64, default: 0, column: n}",
		}, 1, 1, "-features order"},
		{"path", []string{"${DATA:-data}/lines", "${DATA:-other}/lines"}, 2, 2, "+lines.path"},
		{"rename of SQL's source", []string{"{CustomerID: customer_id}", "{CustomerID: customer_id, invoice_no: invoice_no}"}, 2, 2, "+lines.rename.invoice_no"},
		{"availability of the source", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\navailability: event + 1h"}, 2, 2, "+lines.availability"},
		{"availability of the view", []string{"created_timestamp: known\nttl", "created_timestamp: known\navailability: event + 3d\nttl"}, 2, 1, "+availability"},
		{"a feature more", []string{"column: n}\nowner", "column: n}\n  - {name: lines2, type: int64, column: n}\nowner"}, 2, 2, "+features.lines2.type +features.lines2.column"},
		{"type of the key", []string{"name: customer_id, type: int64", "name: customer_id, type: int32"}, 2, 2, "+keys"},
		{"online", []string{"owner: growth", "online: true\nowner: growth"}, 1, 1, ""},
		{"file of the SQL", []string{"sql: trend.sql", "sql: ./trend.sql"}, 1, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, shop(t))
			d := shop(t, c.edits...)
			p := plan(t, db, d)
			got := map[string]int{"customer_orders": 1, "order_trend": 1}
			changes := ""
			for _, change := range p.Changes {
				if _, ok := got[change.Name]; ok {
					got[change.Name] = change.To
				}
				if change.Name == "customer_orders" {
					changes, _, _ = strings.Cut(summary(&registry.Plan{Changes: []registry.Change{{Fields: change.Fields}}}), "\n")
				}
			}
			if got["customer_orders"] != c.orders || got["order_trend"] != c.next {
				t.Errorf("got versions %v, want customer_orders@%d and order_trend@%d\n%s", got, c.orders, c.next, summary(p))
			}
			if strings.TrimSpace(changes) != c.changes {
				t.Errorf("changed fields %q, want %q", strings.TrimSpace(changes), c.changes)
			}
		})
	}
}

// For a view that takes columns as they are, only the renames it uses count, and no names of things around it.
func TestSourceViewEdits(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  int
	}{
		{"source by another name", []string{"name: weather\n", "name: sky\n", "source: weather", "source: sky"}, 1},
		{"rename that is not used", []string{"path: weather.parquet", "path: weather.parquet\nrename: {unused: other}", "codes INTEGER[]", "codes INTEGER[]; unused BIGINT"}, 1},
		{"rename instead of column", []string{"path: weather.parquet", "path: weather.parquet\nrename: {temperature: temp}", "{name: temperature, type: float32}", "{name: temperature, type: float32, column: temp}"}, 1},
		{"another column", []string{"{name: temperature, type: float32}", "{name: temperature, type: float32, column: t2}", "codes INTEGER[]", "codes INTEGER[]; t2 FLOAT"}, 2},
		{"default of a list", []string{"default: [1, 2]", "default: [2, 1]"}, 2},
		{"lag", []string{"event + 1d", "event + 2d"}, 2},
		{"entity by another name", []string{"kind: entity\nname: airport", "kind: entity\nname: port", "entities: [airport]", "entities: [port]"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, shop(t))
			apply(t, db, shop(t, c.edits...))
			if got := revision(t, db).View(ref("airport_weather", 0)).Ref.Version; got != c.want {
				t.Errorf("airport_weather@%d, want %d", got, c.want)
			}
		})
	}
}
