package feast

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
)

// Instants are whole seconds or texts, in a list as well as alone.
func TestInstantsAreSecondsOrTexts(t *testing.T) {
	const us = 1_323_435_000_000_000
	for _, c := range []struct {
		typ  fstore.Type
		text string
		want []int64 // nil: it is refused
	}{
		{fstore.Timestamp, `1323435000`, []int64{us}},
		{fstore.Timestamp, `"2011-12-09T12:50:00Z"`, []int64{us}},
		{fstore.Timestamp, `1.5`, nil},
		{fstore.List(fstore.Timestamp), `[1323435000, "2011-12-09T12:50:00Z", -1]`, []int64{us, us, -1_000_000}},
		{fstore.List(fstore.Timestamp), `["2011-12-09T12:50:00Z"]`, []int64{us}},
		{fstore.List(fstore.Timestamp), `[1.5]`, nil},
		{fstore.List(fstore.Timestamp), `[9223372036854775807]`, nil},
		{fstore.List(fstore.Timestamp), `1323435000`, nil},
		{fstore.List(fstore.Timestamp), `[true]`, nil},
	} {
		column := fstore.Column{Name: "at", Type: c.typ}
		err := appendParsed(&column, json.RawMessage(c.text))
		if (err == nil) != (c.want != nil) || err == nil && (!slices.Equal(column.Int64s, c.want) || column.Len != 1) {
			t.Errorf("%s %s: %v, %v", c.typ, c.text, column.Int64s, err)
		}
	}
}
