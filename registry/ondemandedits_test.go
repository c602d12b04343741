package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry"
)

// Edits of the shop with on-demand views: trip, fare, which reads trip, and ride, a service of both.
var onDemandEdits = []struct {
	name   string
	texts  []string // old, new, …
	fresh  string   // what gets a new version, by name
	fields string   // of trip that change: + those that count, - those that do not
}{
	// layout and comments
	{"spaces", []string{"amount * factor", " amount*factor "}, "", "-features.twice.expression"},
	{"redundant parentheses", []string{"amount * factor", "((amount) * (factor))"}, "", "-features.twice.expression"},
	{"lines and a comment in CEL", []string{`"amount * factor"`, `"amount *\n// of the order\n factor"`}, "", "-features.twice.expression"},
	{"a comment in YAML", []string{"uses:\n  - customer_orders.*", "uses: # views\n  - customer_orders.*"}, "", ""},
	{"quotes of YAML", []string{`"hour(at)"`, "hour(at)"}, "", ""},
	{"quotes of CEL", []string{`"hour(at)"`, `"hour(at, 'UTC')"`}, "fare ride trip", "+features.hour.expression"}, // the zone is a literal
	{"a literal of the other type", []string{"> 20.0", "> 20"}, "", "-features.warm.expression"},
	{"brackets of &&", []string{"origin_weather.temperature > 20.0", "origin_weather.temperature > 20.0 && (true && false)"}, "fare ride trip", "+features.warm.expression"},

	// for people
	{"description of a feature", []string{"Of the request}", "Of the call}"}, "", "-features.hour.description"},
	{"description of a request column", []string{"Of the order that is being placed", "Pounds"}, "", "-request.amount.description"},
	{"owner", []string{"rides@", "team@"}, "", "-owner"},

	// order and names
	{"order of uses", []string{"  - customer_orders.*\n  - {ref: airport_weather.temperature, keys: {airport: origin}, as: origin_weather}\n", "  - {ref: airport_weather.temperature, keys: {airport: origin}, as: origin_weather}\n  - customer_orders.*\n"}, "", ""},
	{"uses one by one", []string{"  - customer_orders.*\n  - {ref: air", "  - customer_orders.order_value\n  - {ref: air"}, "", ""},
	{"a use that nothing reads", []string{"as: origin_weather}\n", "as: origin_weather}\n  - world.*\n"}, "", ""},
	{"another name in uses", []string{"as: origin_weather", "as: o", "origin_weather.temperature > 20.0", "o.temperature > 20.0"}, "", "-uses.airport_weather by airport = origin.as -features.warm.expression"},
	{"order of features", []string{
		`  - {name: twice, type: float64, expression: "amount * factor"}` + "\n", "",
		"features:\n  - {name: share", "features:\n" + `  - {name: twice, type: float64, expression: "amount * factor"}` + "\n  - {name: share",
	}, "", "-features order"},
	{"order of request columns", []string{"  - {name: amount, type: float64, description: Of the order that is being placed}\n", "", "factor, type: float64, default: 2}\n", "factor, type: float64, default: 2}\n  - {name: amount, type: float64, description: Of the order that is being placed}\n"}, "", ""},

	// what is computed
	{"swapped arguments", []string{"amount * factor", "factor * amount"}, "fare ride trip", "+features.twice.expression"},
	{"another literal", []string{"> 20.0", "> 21.0"}, "fare ride trip", "+features.warm.expression"},
	{"another operator", []string{"> 20.0", ">= 20.0"}, "fare ride trip", "+features.warm.expression"},
	{"another type", []string{"name: twice, type: float64", "name: twice, type: float32"}, "fare ride trip", "+features.twice.type"},
	{"another default", []string{"20.0\", default: false", "20.0\", default: true"}, "fare ride trip", "+features.warm.default"},
	{"no default", []string{", default: false", ""}, "fare ride trip", "+features.warm.default"},
	{"another default of a request column", []string{"default: 2}", "default: 3}"}, "fare ride trip", "+request.factor.default"},
	{"another type of a request column", []string{"factor, type: float64, default: 2}", "factor, type: float32, default: 2}"}, "fare ride trip", "+request.factor.type"},
	{"another name of a request column", []string{"{name: factor", "{name: times", "amount * factor", "amount * times"}, "fare ride trip", "+request.times.type +request.times.default +features.twice.expression +request.factor.type +request.factor.default"},
	{"another key column", []string{"{airport: origin}, as", "{airport: target}, as"}, "fare ride trip", "+uses.airport_weather by airport = target -uses.airport_weather by airport = target.as +uses.airport_weather by airport = origin -uses.airport_weather by airport = origin.as"},
	{"another version of a view beneath", []string{"event + 1d", "event + 25h"}, "airport_weather churn fare ride trip", "+uses.airport_weather by airport = origin"},
	{"another version beneath an on-demand view beneath", []string{"path: countries.parquet", "path: states.parquet", "countries.parquet: population", "states.parquet: population"}, "churn fare ride world", ""},
	{"a feature more", []string{"features:\n  - {name: share", "features:\n  - {name: day, type: int64, expression: day(at)}\n  - {name: share"}, "fare ride trip", "+features.day.type +features.day.expression"},
	{"an expression of an on-demand view that reads another", []string{"trip.share * float64", "2.0 * trip.share * float64"}, "fare ride", ""},

	// of the service
	{"another name that callers send", []string{"{amount: fare_amount}", "{amount: price}"}, "ride", ""},
	{"no mapping", []string{"request: {amount: fare_amount}\n", ""}, "ride", ""},
	{"a mapping to the same name", []string{"{amount: fare_amount}", "{amount: fare_amount, factor: factor}"}, "", ""},
	{"another output of the service", []string{"  - trip.warm\n", "  - trip.twice\n"}, "ride", ""},
	{"another output name", []string{"  - trip.warm\n", "  - {ref: trip.warm, as: hot}\n"}, "ride", ""},
}

func TestOnDemandEdits(t *testing.T) {
	for _, c := range onDemandEdits {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, trips(t))
			d := trips(t, c.texts...)
			p := plan(t, db, d)
			var fresh, fields []string
			for _, change := range p.Changes {
				if change.Version == registry.NewVersion {
					fresh = append(fresh, change.Name)
				}
				if change.Name != "trip" {
					continue
				}
				for _, f := range change.Fields {
					fields = append(fields, map[bool]string{true: "+", false: "-"}[f.Counts]+f.Field)
				}
			}
			slices.Sort(fresh)
			if got := strings.Join(fresh, " "); got != c.fresh {
				t.Errorf("new versions of %q, want %q\n%s", got, c.fresh, summary(p))
			}
			if got := strings.Join(fields, " "); got != c.fields {
				t.Errorf("fields\n%s\nwant\n%s", got, c.fields)
			}
			if !p.Empty() {
				apply(t, db, d)
			}
			if again := plan(t, db, d); !again.Empty() {
				t.Errorf("a second plan is not empty:\n%s", summary(again))
			}
			if p := plan(t, db, trips(t)); !p.Empty() {
				apply(t, db, trips(t))
			}
			for name, version := range versions(t, db) {
				if version != 1 {
					t.Errorf("taken back, head has %s@%d", name, version)
				}
			}
		})
	}
}
