package lock

import (
	"encoding/json"
	"testing"

	"github.com/fstore-dev/fstore/stats"
)

// The metrics have every feature and every column to predict, and no value of a row: no key, no text, no extreme.
func TestMetricsHaveFiguresAndNoValues(t *testing.T) {
	number := func(x float64) *float64 { return &x }
	count := func(x int64) *int64 { return &x }
	l := &Lock{
		Features: []Feature{{Name: "spend"}, {Name: "country"}},
		Labels:   Labels{Targets: []string{"churned", "late"}},
		Output: Output{Rows: 4, Columns: []Column{
			{Name: "customer_id", Statistics: stats.Statistics{Count: 4, Min: json.RawMessage("17850"), Max: json.RawMessage("17853"), Mean: number(17851.5)}},
			{Name: "churned", Statistics: stats.Statistics{Count: 4, Distinct: count(2), Histogram: []stats.Bin{{UpTo: json.RawMessage("false"), Count: 1}, {UpTo: json.RawMessage("true"), Count: 3}}}},
			{Name: "late", Statistics: stats.Statistics{Count: 4, Distinct: count(1), Histogram: []stats.Bin{{UpTo: json.RawMessage("false"), Count: 4}}}},
			{Name: "spend", Statistics: stats.Statistics{Count: 3, Nulls: 1, NaNs: 1, Min: json.RawMessage("1"), Mean: number(2.5), Stddev: number(0.5), Distinct: count(3)}},
			{Name: "country", Statistics: stats.Statistics{Nulls: 4, Min: json.RawMessage(`"France"`)}},
		}},
	}
	got, err := json.Marshal(l.Metrics())
	const want = `{"rows":4,"features":{"country":{"missing":1},"spend":{"missing":0.25,"nans":1,"distinct":3,"mean":2.5,"stddev":0.5}},"labels":{"churned":{"missing":0,"distinct":2,"true":0.75},"late":{"missing":0,"distinct":1,"true":0}}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	empty, err := json.Marshal((&Lock{}).Metrics())
	if want := `{"rows":0,"features":{}}`; err != nil || string(empty) != want {
		t.Errorf("got %s, %v\nwant %s", empty, err, want)
	}
}
