package ondemand_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// trips is a list with a feature of a view and features of two on-demand views, of which the second reads the first.
func trips() *fstore.FeatureList {
	id := fstore.Field{Name: "customer_id", Type: fstore.Int64}
	keys := []fstore.KeyBinding{{Key: id, Column: "customer_id"}}
	orders := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "orders", Version: 3}, View: fstore.View{
		Name: "orders", Keys: []fstore.Field{id}, Event: "at",
		Features: []fstore.Feature{{Name: "value", Type: fstore.Float64}, {Name: "lines", Type: fstore.Int64}},
	}}
	trip := &fstore.OnDemandVersion{
		Ref: fstore.ViewRef{Name: "trip", Version: 1}, View: fstore.OnDemandView{
			Request: []fstore.RequestColumn{{Name: "price", Type: fstore.Float64}, {Name: "factor", Type: fstore.Float64, Default: number(2)}},
			Features: []fstore.Feature{
				{Name: "share", Type: fstore.Float64, Expression: "price / last.value"},
				{Name: "unused", Type: fstore.Int64, Expression: "last.lines + 1"},
				{Name: "twice", Type: fstore.Float64, Expression: "share * factor"},
				{Name: "waited", Type: fstore.Float64, Expression: "hours(at - event(last))"},
			},
		},
		Inputs: []fstore.OnDemandInput{{Name: "last", Ref: orders.Ref, Keys: keys, Features: []string{"value", "lines"}}},
	}
	more := &fstore.OnDemandVersion{
		Ref: fstore.ViewRef{Name: "more", Version: 2}, View: fstore.OnDemandView{
			Features: []fstore.Feature{{Name: "big", Type: fstore.Bool, Expression: "trip.twice > 1.0", Default: truth()}},
		},
		Inputs: []fstore.OnDemandInput{{Name: "trip", Ref: trip.Ref, OnDemand: true, Features: []string{"twice"}}},
	}
	return &fstore.FeatureList{
		Uses: []fstore.ViewUse{{Version: orders, Keys: keys}}, OnDemand: []*fstore.OnDemandVersion{trip, more},
		Request: map[string]string{"price": "amount"},
		Outputs: fstore.Outputs{
			fstore.OnDemandOutput{As: "is_big", OnDemand: 1, Feature: "big"},
			fstore.FeatureOutput{As: "order_value", Feature: "value"},
			fstore.OnDemandOutput{As: "waited", OnDemand: 0, Feature: "waited"},
		},
	}
}

func number(x float64) *fstore.Value {
	v := &fstore.Value{Column: fstore.NewColumn("", fstore.Float64, 1)}
	v.AppendFloat64(x)
	return v
}

func truth() *fstore.Value {
	v := &fstore.Value{Column: fstore.NewColumn("", fstore.Bool, 1)}
	v.Append(true)
	return v
}

func TestEvaluationReadsOnlyWhatItNeeds(t *testing.T) {
	e, err := ondemand.NewEvaluation(trips())
	if err != nil {
		t.Fatal(err)
	}
	if want := []ondemand.Lookup{{Use: 0, Feature: "value"}, {Use: 0}}; !slices.Equal(e.Lookups(), want) {
		t.Errorf("it looks up %v, want %v", e.Lookups(), want)
	}
	if want := []ondemand.Place{{Computed: true}, {}, {Computed: true, Index: 1}}; !slices.Equal(e.Outputs(), want) {
		t.Errorf("outputs %v, want %v", e.Outputs(), want)
	}
	if c := e.RequestColumns(); len(c) != 2 || c[0].Name != "amount" || c[1].Name != "factor" {
		t.Errorf("request columns %v", c)
	}
}

func TestEvaluationOfAList(t *testing.T) {
	e, err := ondemand.NewEvaluation(trips())
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3_600_000_000
	floats := func(name string, values ...any) *fstore.Column {
		c := fstore.NewColumn(name, fstore.Float64, len(values))
		for _, v := range values {
			c.Append(v)
		}
		return &c
	}
	times := func(values ...any) *fstore.Column {
		c := fstore.NewColumn("", fstore.Timestamp, len(values))
		for _, v := range values {
			c.Append(v)
		}
		return &c
	}
	got, err := e.Eval(ondemand.Given{
		Rows: 3, At: times(int64(5*hour), int64(5*hour), int64(5*hour)),
		Lookups: []*fstore.Column{floats("value", 2.0, 2.0, nil), times(int64(hour), int64(2*hour), nil)},
		Request: []*fstore.Column{floats("amount", 1.0, 0.5, 1.0), floats("factor", 3.0, nil, 1.0)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for i := range got.Columns {
		text = append(text, got.Columns[i].Name+" "+string(got.Columns[i].AppendValuesJSON(nil)))
	}
	// 1 / 2 · 3 is above 1; 0.5 / 2 · 2 is not, with the default for a factor that is null; without a value it is the default.
	want := []string{"is_big [true,false,true]", "waited [4,3,null]"}
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
	if got.Present[0].Get(2) || !got.Present[0].Get(1) {
		t.Error("a default counts as a value of its own")
	}
	_, err = e.Eval(ondemand.Given{Rows: 1, At: times(int64(0)), Lookups: []*fstore.Column{floats("value", 2.0), times(int64(0))}, Request: []*fstore.Column{nil, nil}})
	if !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("without a request column: %v", err)
	}
}

func TestEvaluationOfAListThatLacksWhatItReads(t *testing.T) {
	for name, damage := range map[string]func(*fstore.FeatureList){
		"a use":            func(l *fstore.FeatureList) { l.Uses = nil; l.Outputs = l.Outputs[:1] },
		"a feature":        func(l *fstore.FeatureList) { l.OnDemand[0].Inputs[0].Features = []string{"nope"} },
		"an input":         func(l *fstore.FeatureList) { l.OnDemand[0].Inputs = nil },
		"an earlier view":  func(l *fstore.FeatureList) { slices.Reverse(l.OnDemand) },
		"an on-demand one": func(l *fstore.FeatureList) { l.OnDemand = l.OnDemand[:1] },
	} {
		list := trips()
		damage(list)
		if _, err := ondemand.NewEvaluation(list); !errors.Is(err, fstore.ErrInvalid) && !errors.Is(err, fstore.ErrDefinition) {
			t.Errorf("a list without %s: %v", name, err)
		}
	}
}

// A definition cannot give a request column the name of a view in its uses. A lock that somebody wrote could.
func TestARequestColumnWithTheNameOfAView(t *testing.T) {
	list := trips()
	list.Request = nil
	trip := list.OnDemand[0]
	trip.View.Request = []fstore.RequestColumn{{Name: "last", Type: fstore.Timestamp}, {Name: "price", Type: fstore.Float64}, {Name: "factor", Type: fstore.Float64}}
	trip.View.Features[3].Expression = "hours(at - last)"
	e, err := ondemand.NewEvaluation(list)
	if err != nil {
		t.Fatal(err)
	}
	if want := []ondemand.Lookup{{Use: 0, Feature: "value"}}; !slices.Equal(e.Lookups(), want) {
		t.Errorf("it looks up %v, want %v: the expression reads the request column, not the view's event time", e.Lookups(), want)
	}
}
