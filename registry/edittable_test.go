package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// An edit of the shop's repo, and what it makes new versions of: of everything else it must make none.
type edit struct {
	name  string
	texts []string // old, new, …
	fresh string   // views and services that get a new version, by name
}

const (
	// what reads customer_orders, and what uses it; what a service lists is part of it
	ordersAndReaders = "churn customer_orders order_trend"
	ordersAlone      = "churn customer_orders"
	weather          = "airport_weather churn"
)

var edits = []edit{
	// layout, comments and case
	{"white space in SQL", []string{"select customer_id, invoice_no, invoice_date, max(loaded_at) as known,", "select\n\tcustomer_id  ,\n invoice_no,invoice_date,   max( loaded_at )as known ,\n\n"}, ""},
	{"line ends of SQL", []string{"-- one row per invoice\n", "-- one row per invoice\r\n"}, ""},
	{"a comment in SQL", []string{"-- one row per invoice", "/* a row\n for each -- invoice */"}, ""},
	{"a semicolon behind SQL", []string{"select o.* from orders as o", "select o.* from orders as o;"}, ""},
	{"keywords in capitals", []string{"with orders as", "WITH orders AS", "where customer_id is not null", "WHERE customer_id IS NOT NULL", "group by all", "GROUP BY ALL"}, ""},
	{"functions in capitals", []string{"exact_sum(", "EXACT_SUM(", "count(*)", "COUNT(*)", "lag(", "Lag("}, ""},
	{"columns in capitals", []string{"select customer_id, invoice_no", "select CUSTOMER_ID, Invoice_No", "partition by customer_id", "partition by Customer_ID"}, ""},
	{"sources in capitals", []string{"from lines", "from Lines", "from customer_orders", "from CUSTOMER_ORDERS"}, ""},
	{"names in quotes", []string{"select customer_id, invoice_no", `select "customer_id", "invoice_no"`}, ""},
	{"AS left out", []string{"max(loaded_at) as known", "max(loaded_at) known", "orders as o", "orders o"}, ""},
	{"a comment in YAML", []string{"kind: entity\nname: customer", "# who buys\nkind: entity\nname: customer # a person"}, ""},
	{"layout of YAML", []string{"features: [{name: temperature, type: float32}, {name: codes, type: list<int32>, default: [1, 2]}]", "features:\n- name: temperature\n  type: 'float32'\n- name: codes\n  default:\n  - 1\n  - 2\n  type: \"list<int32>\""}, ""},

	// what is said in another way
	{"ttl in hours", []string{"ttl: 90d", "ttl: 2160h"}, ""},
	{"publish in hours", []string{"{every: 1d, offset: 2h, delay: 1h}", "{delay: 60m, every: 24h, offset: 120m}"}, ""},
	{"availability stated as it is", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\navailability: created", "created_timestamp: known\nttl", "created_timestamp: known\navailability: created\nttl"}, ""},
	{"column stated as it is", []string{"{name: order_value, type: float64,", "{name: order_value, column: order_value, type: float64,"}, ""},
	{"online stated as it is", []string{"ttl: 90d", "ttl: 90d\nonline: true"}, ""},
	{"path in another folder's words", []string{"path: weather.parquet", "path: 'weather.parquet'"}, ""},
	{"a star written out", []string{"  - customer_orders.*\n", "  - customer_orders.order_value\n  - {ref: customer_orders.order_lines}\n"}, ""},
	{"a name given that it has", []string{"  - world.population\n", "  - {ref: world.population, as: population}\n"}, ""},
	{"keys stated as they are", []string{"  - order_trend.previous_value", "  - {ref: order_trend.previous_value, keys: {customer_id: customer_id}}"}, ""},

	// for people
	{"description of a feature", []string{"Value of the latest order, in pounds", "Pounds"}, ""},
	{"description of a view", []string{"owner: growth@example.com", "owner: growth@example.com\ndescription: orders"}, ""},
	{"description of a source", []string{"path: weather.parquet", "path: weather.parquet\ndescription: by airport"}, ""},
	{"description of an entity", []string{"name: airport\njoin_keys", "name: airport\ndescription: where one lands\njoin_keys"}, ""},
	{"description of a service", []string{"name: churn\nfeatures", "name: churn\ndescription: who leaves\nfeatures"}, ""},
	{"owner", []string{"growth@", "team@"}, ""},
	{"no owner", []string{"owner: growth@example.com\n", ""}, ""},
	{"tags", []string{"tags: {tier: gold}", "tags: {tier: silver, team: growth}"}, ""},

	// what things around a value are called
	{"an entity by another name", []string{"kind: entity\nname: airport", "kind: entity\nname: port", "entities: [airport]", "entities: [port]"}, ""},
	{"a source taken as it is, by another name", []string{"name: weather\n", "name: sky\n", "source: weather", "source: sky"}, ""},
	{"a rename instead of a column", []string{"path: weather.parquet", "path: weather.parquet\nrename: {temperature: temp}", "{name: temperature, type: float32}", "{name: temperature, type: float32, column: temp}"}, ""},
	{"another file of SQL", []string{"sql: trend.sql", "sql: ./trend.sql"}, ""},
	{"a view that nothing reads", []string{"---\nkind: feature_service", "---\nkind: feature_view\nname: more\nentities: []\nsource: countries\nfeatures: [{name: population, type: int64}]\n---\nkind: feature_service"}, "more"},

	// where the data is, and what it is
	{"the value of a variable", nil, ""}, // TestEditsMakeNewVersionsWhereTheyMust gives it
	{"the default of a variable in a path", []string{"${DATA:-data}/lines", "${DATA:-other}/lines"}, ordersAndReaders},
	{"the path of a source", []string{"weather.parquet", "climate.parquet"}, weather},
	{"the path of a static table", []string{"countries.parquet", "states.parquet"}, "churn world"},
	{"a rename of a source of SQL", []string{"{CustomerID: customer_id}", "{CustomerID: customer_id, quantity: quantity}"}, ordersAndReaders},
	{"a rename that a view does not use", []string{"path: weather.parquet", "path: weather.parquet\nrename: {unused: other}", "codes INTEGER[]", "codes INTEGER[]; unused BIGINT"}, ""},
	{"event time of a source", []string{"event_timestamp: day", "event_timestamp: night", "day DATE", "day DATE; night TIMESTAMP"}, weather},
	{"lag of a source", []string{"event + 1d", "event + 25h"}, weather},
	{"availability of a source of SQL", []string{"created_timestamp: loaded_at", "created_timestamp: loaded_at\navailability: event + 1h"}, ordersAndReaders},

	// what a view computes
	{"a constant in SQL", []string{"customer_id is not null", "customer_id > 0"}, ordersAndReaders},
	{"a text in capitals in SQL", []string{"customer_id is not null", "invoice_no <> 'c'", "from orders as o", "from orders as o -- 'C'"}, ordersAndReaders},
	{"a table by another alias", []string{"select o.* from orders as o", "select p.* from orders as p"}, ordersAndReaders},
	{"a column by another alias", []string{"count(*) as n", "count(*) as m", "column: n", "column: m"}, ordersAndReaders},
	{"SQL of a view that reads another", []string{"lag(order_value)", "lag(order_value, 2)"}, "churn order_trend"},
	{"event time of a view", []string{"event_timestamp: invoice_date\ncreated_timestamp: known\nttl", "event_timestamp: known\ncreated_timestamp: known\nttl", "select customer_id, invoice_date, known,", "select customer_id, known as invoice_date, known,", "order by invoice_date, known", "order by known"}, ordersAndReaders},
	{"type of a feature", []string{"name: order_lines, type: int64", "name: order_lines, type: int32"}, ordersAndReaders},
	{"column of a feature", []string{"{name: temperature, type: float32}", "{name: temperature, type: float32, column: t2}", "codes INTEGER[]", "codes INTEGER[]; t2 FLOAT"}, weather},
	{"a feature more", []string{"column: n}\nowner", "column: n}\n  - {name: twice, type: int64, column: n}\nowner"}, ordersAndReaders},
	{"a feature less", []string{"  - {name: order_lines, type: int64, default: 0, column: n}\n", ""}, ordersAndReaders},
	{"a feature by another name", []string{"{name: order_lines, type: int64", "{name: order_rows, type: int64"}, ordersAndReaders},
	{"type of a key", []string{"name: customer_id, type: int64", "name: customer_id, type: int32"}, ordersAndReaders},
	{"name of a key", []string{"name: airport\n    type", "name: code\n    type", "airport VARCHAR", "code VARCHAR", "{airport: ", "{code: "}, weather},

	// how a view is looked up, which what reads it does not see
	{"ttl", []string{"ttl: 90d", "ttl: 91d"}, ordersAlone},
	{"no ttl", []string{"ttl: 90d\n", ""}, ordersAlone},
	{"publish", []string{"delay: 1h", "delay: 2h"}, ordersAlone},
	{"no publish", []string{"publish: {every: 1d, offset: 2h, delay: 1h}\n", ""}, ordersAlone},
	{"default", []string{"default: 0", "default: 1"}, ordersAlone},
	{"no default", []string{", default: 0", ""}, ordersAlone},
	{"default of a list", []string{"default: [1, 2]", "default: [2, 1]"}, weather},
	{"availability of a view", []string{"created_timestamp: known\nttl", "created_timestamp: known\navailability: event + 3d\nttl"}, ordersAlone},

	// the list that a model reads
	{"order of a view's features", []string{
		"  - {name: order_lines, type: int64, default: 0, column: n}\nowner", "owner",
		"delay: 1h}\nfeatures:", "delay: 1h}\nfeatures:\n  - {name: order_lines, type: int64, default: 0, column: n}",
	}, "churn"}, // the service has them all, in the order declared
	{"order of a service's features", []string{"  - world.population\n  - order_trend.previous_value", "  - order_trend.previous_value\n  - world.population"}, "churn"},
	{"a feature of a service by another name", []string{"as: last_order_value", "as: newest_order_value"}, "churn"},
	{"a prefix", []string{"prefix: origin_", "prefix: from_"}, "churn"},
	{"a key from another column", []string{"{airport: destination}", "{airport: arrival}"}, "churn"},
	{"a feature more in a service", []string{"  - world.population\n", "  - world.population\n  - {ref: world.population, as: people}\n"}, "churn"},
	{"a feature less in a service", []string{"  - world.population\n", ""}, "churn"},
	{"a service by another name", []string{"name: churn", "name: leave"}, "leave"},
}

// Every edit makes new versions of what it can change a value of, and of nothing else, in a plan and in the apply that
// follows; and taking it back moves head back to the versions that were.
func TestEditsMakeNewVersionsWhereTheyMust(t *testing.T) {
	all := []string{"airport_weather", "churn", "customer_orders", "leave", "more", "order_trend", "world"}
	for _, c := range edits {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, shop(t))
			d := edited(t, c)
			fresh := []string{}
			p := plan(t, db, d)
			for _, change := range p.Changes {
				if change.Version == registry.NewVersion {
					fresh = append(fresh, change.Name)
				}
			}
			slices.Sort(fresh)
			if got := strings.Join(fresh, " "); got != c.fresh {
				t.Fatalf("new versions of %q, want %q\n%s", got, c.fresh, summary(p))
			}
			if !p.Empty() {
				apply(t, db, d)
			}
			if again := plan(t, db, d); !again.Empty() {
				t.Errorf("a second plan is not empty:\n%s", summary(again))
			}
			head := versions(t, db)
			for _, name := range all {
				want := 1
				if slices.Contains(fresh, name) && name != "more" && name != "leave" {
					want = 2
				}
				if got, ok := head[name]; ok && got != want {
					t.Errorf("%s@%d, want %d", name, got, want)
				}
			}
			if back := shop(t); !plan(t, db, back).Empty() {
				apply(t, db, back)
			}
			for name, version := range versions(t, db) {
				if version != 1 {
					t.Errorf("taken back, head has %s@%d", name, version)
				}
			}
		})
	}
}

// edited returns the definitions of the shop as an edit makes them.
func edited(t *testing.T, c edit) *definition.Definitions {
	t.Helper()
	if c.texts != nil {
		return shop(t, c.texts...)
	}
	d, err := checkWhere(t, shopArchive(t), func(name string) (string, bool) { return "/elsewhere", name == "DATA" })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// versions returns the versions in head, by name.
func versions(t *testing.T, db *registry.Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	rev := revision(t, db)
	for _, v := range rev.Views() {
		out[v.Ref.Name] = v.Ref.Version
	}
	for _, s := range rev.Services() {
		out[s.Ref.Name] = s.Ref.Version
	}
	return out
}
