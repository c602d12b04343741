package fstore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A record of a sawtooth view has a column for each window over the rows of one condition; one with a schedule has its
// features.
func TestRecordsOfSawtoothViews(t *testing.T) {
	feature := func(name string, days, hops int, where string) Feature {
		w := &Window{Function: Sum, Expression: "x", Where: where, Length: Duration(days) * Duration(24*time.Hour), Hop: Duration(hops) * Duration(time.Hour)}
		return Feature{Name: name, Type: Int64, Window: w}
	}
	v := View{Event: "event", Features: []Feature{
		feature("spend_7d", 7, 6, ""), feature("spend_1d", 1, 1, ""), feature("large_7d", 7, 6, "x > 5"),
		feature("orders_7d", 7, 6, ""), feature("orders_1d", 1, 1, ""), feature("spend_lifetime", 0, 0, ""), feature("fine_7d", 7, 1, ""),
	}}
	names := func() (out []string) {
		for _, f := range v.Record() {
			if f.Window == nil && f.Type != Bytes {
				t.Errorf("%s is %s", f.Name, f.Type)
			}
			out = append(out, f.Name)
		}
		return out
	}
	want := []string{"fine_7d", "large_7d", "orders_1d+spend_1d", "orders_7d+spend_7d", "spend_lifetime"}
	if d := cmp.Diff(want, names()); d != "" {
		t.Errorf("without publish (-want +got):\n%s", d)
	}
	v.Publish = &Publish{Every: Duration(time.Hour)}
	want = []string{"fine_7d", "large_7d", "orders_1d", "orders_7d", "spend_1d", "spend_7d", "spend_lifetime"}
	if d := cmp.Diff(want, names()); d != "" {
		t.Errorf("with publish (-want +got):\n%s", d)
	}
}
