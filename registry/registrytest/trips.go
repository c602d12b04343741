package registrytest

import (
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
)

// trips is what Trips adds to the shop: an on-demand view over views, one over that, and a service of both.
const trips = `
-- defs/trips.yaml --
kind: on_demand_view
name: trip
request:
  - {name: amount, type: float64, description: Of the order that is being placed}
  - {name: factor, type: float64, default: 2}
uses:
  - customer_orders.*
  - {ref: airport_weather.temperature, keys: {airport: origin}, as: origin_weather}
features:
  - {name: share, type: float64, expression: "amount / customer_orders.order_value"}
  - {name: warm, type: bool, expression: "origin_weather.temperature > 20.0", default: false}
  - {name: twice, type: float64, expression: "amount * factor"}
  - {name: hour, type: int64, expression: "hour(at)", description: Of the request}
owner: rides@example.com
---
kind: on_demand_view
name: fare
uses: [trip.share, world.population]
features:
  - {name: scaled, type: float64, expression: "trip.share * float64(world.population)"}
---
kind: feature_service
name: ride
request: {amount: fare_amount}
features:
  - fare.scaled
  - trip.warm
  - {ref: customer_orders.order_lines, as: lines}
`

// Trips checks the shop repo with on-demand views after replacing texts in its files: old, new, old, new …
func Trips(t testing.TB, edits ...string) *definition.Definitions {
	t.Helper()
	archive := definitiontest.Shop(t)
	archive.Files = append(archive.Files, txtar.Parse([]byte(trips)).Files...)
	d, err := definitiontest.Check(t, definitiontest.Edit(t, archive, edits...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
