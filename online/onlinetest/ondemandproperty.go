package onlinetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
	"github.com/fstore-dev/fstore/online"
)

// onDemandProperty holds, for random lists, that an answer has what the evaluation of its expressions gives over plain look-ups.
var onDemandProperty = test{"answers_are_evaluations_over_plain_lookups", func(t *testing.T, b online.Backend) {
	s := newStore(b, "p")
	v := ttl(view("v", "id int64", "a int64, d int64=7, f float64, l list<float64>, s string, z string=\"none\""), time.Hour)
	w := static(view("w", "id int64", "g float64=0.5"))
	old := published.Add(-2 * time.Hour)
	load(t, s, v, generation1, published,
		row{int64(1), published, int64(4), int64(2), 1.5, []float64{1, 2}, "é", "b"}, row{int64(2), published, nil, nil, nil, nil, nil, nil},
		row{int64(3), old, int64(4), int64(2), 1.5, []float64{1}, "old", "c"})
	load(t, s, w, generation2, published, row{int64(1), nil, 2.5}, row{int64(3), nil, nil})
	rapid.Check(t, func(r *rapid.T) { checkEvaluation(r, s, randomList(r, v, w)) })
}}

// forms are features of an on-demand view over the features of v and w, the request columns x and y, and the clock.
var forms = []string{
	"a int64 : v.a + x", "b float64 : float64(v.d) * w.g", "c string : upper(v.s)", "d bool=true : v.f > w.g", "e list<float64> : v.l", "f timestamp : event(v)",
	"g float64 : hours(at - event(v))", "h int64=-1 : length(v.z) / x", "i string : y", "j float64 : sum(v.l) + float64(x)", "k int32 : x", "l int64 : id * 2",
}

// randomList returns a list with some features of views and some on-demand features, in any order.
func randomList(r *rapid.T, v, w *fstore.ViewVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v), use(w)}}
	onDemand(l, "o", "id int64, x int64, y string=\"none\"", strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(forms), 1, 6, rapid.ID[string]).Draw(r, "features"), "; "))
	for _, o := range list(l.Uses...).Outputs {
		f := o.(fstore.FeatureOutput)
		f.As = "plain_" + f.As
		l.Outputs = append(l.Outputs, f)
	}
	l.Outputs = rapid.Permutation([]fstore.Output(l.Outputs)).Draw(r, "outputs")[:rapid.IntRange(1, len(l.Outputs)).Draw(r, "length")]
	return l
}

// checkEvaluation asks for random rows, and computes the answer's on-demand features from a plain list of what they read.
func checkEvaluation(r *rapid.T, s *online.Store, l *fstore.FeatureList) {
	n := rapid.IntRange(0, 20).Draw(r, "rows")
	id, x, y := fstore.NewColumn("id", fstore.Int64, n), fstore.NewColumn("x", fstore.Int64, n), fstore.NewColumn("y", fstore.String, n)
	for range n {
		id.Append(rapid.SampledFrom([]any{int64(1), int64(2), int64(3), int64(4), nil}).Draw(r, "id"))
		x.Append(rapid.SampledFrom([]any{int64(0), int64(3), int64(1 << 62), nil}).Draw(r, "x"))
		y.Append(rapid.SampledFrom([]any{"", "é", nil}).Draw(r, "y"))
	}
	req := online.Request{Keys: []fstore.Column{id, x, y}, Now: published.Add(time.Minute), EventTimes: online.WithEventTimes}
	got, err := s.Lookup(context.Background(), l, req)
	if err != nil {
		r.Fatal(err)
	}
	e, err := ondemand.NewEvaluation(l)
	if err != nil {
		r.Fatal(err)
	}
	lookups := plainly(r, s, l, e.Lookups(), req)
	now := fstore.NewColumn("", fstore.Timestamp, n)
	for range n {
		now.Append(req.Now)
	}
	given := ondemand.Given{Rows: n, At: &now}
	for i := range lookups {
		given.Lookups = append(given.Lookups, &lookups[i].Column)
	}
	for _, c := range e.RequestColumns() {
		at := slices.IndexFunc(req.Keys, func(k fstore.Column) bool { return k.Name == c.Name })
		given.Request = append(given.Request, &req.Keys[at])
	}
	computed, err := e.Eval(given)
	if err != nil {
		r.Fatal(err)
	}
	for i, place := range e.Outputs() {
		want := &online.AnswerFeature{}
		if place.Computed {
			want.Column = computed.Columns[place.Index]
			want.Statuses = make([]online.Status, n)
			for row := range n {
				if !computed.Present[place.Index].Get(row) {
					want.Statuses[row] = online.NullValue
				}
			}
		} else {
			want = &lookups[place.Index]
		}
		if d := cmp.Diff(cells(want, n), cells(&got.Features[i], n)); d != "" {
			r.Fatalf("%s (-want +got):\n%s", l.Outputs[i].Name(), d)
		}
	}
}

// plainly looks up each feature and event time in a list of its own, without on-demand features.
func plainly(r *rapid.T, s *online.Store, l *fstore.FeatureList, lookups []ondemand.Lookup, req online.Request) []online.AnswerFeature {
	req.Keys = req.Keys[:1] // the key
	out := make([]online.AnswerFeature, len(lookups))
	for i, what := range lookups {
		feature := what.Feature
		if feature == "" {
			feature = l.Uses[what.Use].Version.View.Features[0].Name
		}
		plain := &fstore.FeatureList{Uses: l.Uses, Outputs: fstore.Outputs{fstore.FeatureOutput{As: feature, Use: what.Use, Feature: feature}}}
		a, err := s.Lookup(context.Background(), plain, req)
		if err != nil {
			r.Fatal(err)
		}
		out[i] = a.Features[0]
		if what.Feature == "" {
			out[i].Column = eventsOf(&a.Features[0], a.Rows)
		}
	}
	return out
}

// eventsOf returns the event times of values that are there and fresh.
func eventsOf(f *online.AnswerFeature, rows int) fstore.Column {
	c := fstore.NewColumn("", fstore.Timestamp, rows)
	for row := range rows {
		at, ok := f.Event(row)
		if state := f.Status(row); ok && (state == online.Present || state == online.NullValue) {
			c.Append(at)
		} else {
			c.AppendNull()
		}
	}
	return c
}

// cells returns the values and statuses of a feature as text.
func cells(f *online.AnswerFeature, rows int) (out []string) {
	for row := range rows {
		out = append(out, fmt.Sprint(string(f.Column.AppendJSON(nil, row)), " ", f.Status(row)))
	}
	return out
}
