package offline

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// onDemand returns version 1 of an on-demand view over views by the keys of their own names, with features written
// "name type = expression" and request columns written "name type".
func onDemand(name string, request, features []string, views ...*fstore.ViewVersion) *fstore.OnDemandVersion {
	v := &fstore.OnDemandVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, View: fstore.OnDemandView{Name: name}}
	for _, r := range request {
		f := fields(r)
		v.View.Request = append(v.View.Request, fstore.RequestColumn{Name: f.Name, Type: f.Type})
	}
	for _, text := range features {
		var f fstore.Feature
		declared, expression, _ := strings.Cut(text, " = ")
		d := fields(declared)
		f.Name, f.Type, f.Expression = d.Name, d.Type, expression
		v.View.Features = append(v.View.Features, f)
	}
	for _, of := range views {
		in := fstore.OnDemandInput{Name: of.Ref.Name, Ref: of.Ref}
		for _, k := range of.View.Keys {
			in.Keys = append(in.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
		}
		for _, f := range of.View.Features {
			in.Features = append(in.Features, f.Name)
		}
		v.Inputs = append(v.Inputs, in)
	}
	return v
}

// with adds all features of on-demand views to a list that has what they look up.
func with(l *fstore.FeatureList, views ...*fstore.OnDemandVersion) *fstore.FeatureList {
	for _, v := range views {
		l.OnDemand = append(l.OnDemand, v)
		for _, f := range v.View.Features {
			l.Outputs = append(l.Outputs, fstore.OnDemandOutput{As: f.Name, OnDemand: len(l.OnDemand) - 1, Feature: f.Name})
		}
	}
	return l
}

func TestOnDemandFeaturesOfATrainingSet(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | value DOUBLE", "1 | 2011-12-01 | 2", "1 | 2011-12-05 | 4", "2 | 2011-11-01 | 5", "3 | 2011-12-02 | NULL"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"value float64"})
		v.View.TTL = ttl(14 * 24 * time.Hour)
		trip := onDemand("trip", []string{"price float64"}, []string{
			"share float64 = price / v.value", "waited float64 = hours(at - event(v))", "hour int64 = hour(at)", "dear bool = share > 1.0", "inverse int64 = 12 / int64(price)",
		}, v)
		list := with(all(v), trip)
		r.write("labels.parquet", labels(values("k BIGINT | t TIMESTAMP | price DOUBLE",
			"1 | 2011-12-04 03:00:00 | 3", "1 | 2011-12-05 | 2", "2 | 2011-12-05 | 1", "3 | 2011-12-03 | 0", "NULL | 2011-12-03 | NaN", "1 | 2011-12-06 | NULL")))
		got, sum := r.train(r.request("labels.parquet", list))
		r.check(got,
			"1 | 2011-12-04 03:00:00 | 3.0 | 2.0 | 1.5 | 75.0 | 3 | true | 4",
			"1 | 2011-12-05 00:00:00 | 2.0 | 4.0 | 0.5 | 0.0 | 0 | false | 6",
			"2 | 2011-12-05 00:00:00 | 1.0 | NULL | NULL | NULL | 0 | NULL | 12",
			"3 | 2011-12-03 00:00:00 | 0.0 | NULL | NULL | 24.0 | 0 | NULL | NULL",
			"NULL | 2011-12-03 00:00:00 | nan | NULL | NULL | NULL | 0 | NULL | NULL",
			"1 | 2011-12-06 00:00:00 | NULL | 4.0 | NULL | 24.0 | 0 | NULL | NULL")
		want := []lock.Fault{{View: trip.Ref, Feature: "inverse", Reason: "division by zero", Rows: 1, FirstRow: 4}}
		if d := cmp.Diff(want, sum.Faults); d != "" {
			t.Error(d)
		}
	})
}
