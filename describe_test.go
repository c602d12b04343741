package fstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

// A request column that is a key column too is sent once, so it is described once: as a key, which every row must have.
func TestDescribeListsEveryColumnOnce(t *testing.T) {
	id := fstore.Field{Name: "id", Type: fstore.Int64}
	one := fstore.NewColumn("", fstore.Float64, 1)
	one.AppendFloat64(1)
	optional := &fstore.Value{Column: one}
	list := &fstore.FeatureList{
		Uses: []fstore.ViewUse{{Version: &fstore.ViewVersion{View: fstore.View{Keys: []fstore.Field{id}}}, Keys: []fstore.KeyBinding{{Key: id, Column: "customer"}}}},
		OnDemand: []*fstore.OnDemandVersion{
			{View: fstore.OnDemandView{Request: []fstore.RequestColumn{{Name: "id", Type: fstore.Int64}, {Name: "lat", Type: fstore.Float64, Default: optional}}}},
			{View: fstore.OnDemandView{Request: []fstore.RequestColumn{{Name: "lat", Type: fstore.Float64}, {Name: "lon", Type: fstore.Float64, Default: optional}}}},
		},
		Request: map[string]string{"id": "customer"},
	}
	got := list.Describe()
	if d := cmp.Diff([]fstore.Field{{Name: "customer", Type: fstore.Int64}}, got.KeyColumns); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]fstore.RequestColumn{{Name: "lat", Type: fstore.Float64}, {Name: "lon", Type: fstore.Float64, Default: optional}}, got.Request); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]fstore.Field{{Name: "customer", Type: fstore.Int64}, {Name: "lat", Type: fstore.Float64}, {Name: "lon", Type: fstore.Float64}}, list.Columns()); d != "" {
		t.Error(d)
	}
}
