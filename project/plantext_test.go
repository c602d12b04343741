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

// A verdict is said once for all its views, and what to do about an unknown past once for all tables.
func TestSummaryNotesSayEachVerdictOnce(t *testing.T) {
	view := func(name string, static ...string) fstore.ViewUse {
		v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, Sources: []fstore.Source{{Name: "flights", Event: "at"}}}
		for _, s := range static {
			v.Sources = append(v.Sources, fstore.Source{Name: s})
		}
		return fstore.ViewUse{Version: v}
	}
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{view("leg", "zones", "airports"), view("route", "zones"), view("now"), view("airport", "sites")}}
	sum := &offline.TrainingSummary{}
	for i, verdict := range []string{offline.PastUnknown, offline.PastUnknown, "no leak at 4 of 9 instants", "no leak at 4 of 9 instants"} {
		sum.Causality = append(sum.Causality, lock.Causality{View: list.Uses[i].Version.Ref, Verdict: verdict})
	}
	want := []string{
		"leg@1, route@1: not proved: past unknown",
		"now@1, airport@1: no leak at 4 of 9 instants",
		"Past unknown: no leak was found, but rows of sources without an event_timestamp (airports, zones) count as they are now, at every instant. " +
			"If such rows change, training sees values that nobody had then: give the source an event_timestamp.",
	}
	if d := cmp.Diff(want, SummaryNotes(sum, list)); d != "" {
		t.Error(d)
	}
}
