package definition_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// A share is the number that stands there, rounded once: 99.9 / 100 is more than 999 / 1000.
// definitionsWithShare are definitions of a view whose feature x has a share.
func definitionsWithShare(text string) *txtar.Archive {
	return txtar.Parse([]byte(`-- d.yaml --
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
}

func TestSharesAreRoundedOnce(t *testing.T) {
	for text, want := range map[string]float64{"99.9%": 0.999, "0.999": 0.999, "29 %": 0.29, "100%": 1, "1": 1, "0.07%": 0.0007, "1e-1": 0.1, "2.5E-1": 0.25} {
		d, err := check(t, definitionsWithShare(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Views[0].View.Features[0].Expect[0].Mostly; got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

// A percentage has no exponent: with one, 1e-1% could be read as 10%.
func TestWhatIsNotAShareIsRefused(t *testing.T) {
	for _, text := range []string{"1e-1%", "1E1%", "1e-1 %", "101%", "1.1", "-0.1", "-1%", "%", "half", ".nan", ".inf", "NaN", "NaN%", "0x1p-2%"} {
		_, err := check(t, definitionsWithShare("'"+text+"'"))
		if err == nil || !strings.Contains(err.Error(), "mostly is "+text+", which is not a share") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
