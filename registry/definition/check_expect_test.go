package definition_test

import (
	"testing"

	"golang.org/x/tools/txtar"
)

// A share is the number that stands there, rounded once: 99.9 / 100 is more than 999 / 1000.
func TestSharesAreRoundedOnce(t *testing.T) {
	for text, want := range map[string]float64{"99.9%": 0.999, "0.999": 0.999, "29 %": 0.29, "100%": 1, "1": 1, "0.07%": 0.0007} {
		archive := txtar.Parse([]byte(`-- d.yaml --
kind: entity
name: customer
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: e.parquet
---
kind: feature_view
name: v
entities: [customer]
source: events
features: [{name: x, type: float64, expect: [{not_null: true, mostly: ` + text + `}]}]
-- tables --
e.parquet: id BIGINT; x DOUBLE
`))
		d, err := check(t, archive)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Views[0].View.Features[0].Expect[0].Mostly; got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}
