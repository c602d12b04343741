package httpapi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// TestKeyColumnsOfEveryTypeFromJSON reads what AppendJSON writes as keys.
func TestKeyColumnsOfEveryTypeFromJSON(t *testing.T) {
	body := `{"service":"s","entities":{"a":[true,null],"b":[-3,3.0],"c":[9007199254740993,0],"d":["","x"],"e":["AP8=",null],"f":["2026-01-01T00:00:00.000001Z","2026-01-01"]}}`
	req, err := decodeRequest([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	types := []fstore.Type{fstore.Bool, fstore.Int32, fstore.Int64, fstore.String, fstore.Bytes, fstore.Timestamp}
	var keys []fstore.Field
	for i, typ := range types {
		keys = append(keys, fstore.Field{Name: string(rune('a' + i)), Type: typ})
	}
	columns, err := req.columns(&server.Target{Keys: keys}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for i := range columns {
		got = append(got, columns[i].Value(0), columns[i].Value(1))
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []any{true, nil, int32(-3), int32(3), int64(9007199254740993), int64(0), "", "x", []byte{0, 255}, nil, day.Add(time.Microsecond), day}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
