package project

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
)

// A column of the labels that is misspelled must not become the default of a request column in silence.
func TestSummaryNotesNameAbsentRequestColumns(t *testing.T) {
	one := fstore.NewColumn("", fstore.Float64, 1)
	one.AppendFloat64(1)
	list := &fstore.FeatureList{
		OnDemand: []*fstore.OnDemandVersion{{View: fstore.OnDemandView{Request: []fstore.RequestColumn{
			{Name: "lat", Type: fstore.Float64}, {Name: "surge", Type: fstore.Float64, Default: &fstore.Value{Column: one}}, {Name: "unread", Type: fstore.Float64},
		}}}},
		Request: map[string]string{"lat": "pickup", "surge": "factor"},
	}
	sum := &offline.TrainingSummary{Request: lock.Requests(list, func(column string) bool { return column != "pickup" })}
	want := []string{"request column lat: label column pickup", "request column surge: the labels have no column factor, so expressions read its default"}
	if d := cmp.Diff(want, SummaryNotes(sum, list)); d != "" {
		t.Error(d)
	}
}
