package law

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// The law covers on-demand features: get at T with a label's request columns equals training at T, bit for bit, on every
// backend. That holds for the expressions of head, and for those of earlier versions that models are pinned to.
//
// A check draws a repo, as the law of the product does, with two on-demand views of random expressions over the features
// and event times of its views, over request columns and the clock; the second reads the first. After each chapter new
// expressions take their place.
func TestOnDemandFeaturesKeepTheLaw(t *testing.T) {
	t.Parallel()
	url := startRedis(t)
	root, n, rows, values := tempDir(t), 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		r, v := liveOnDemand(fatal{t, rt}, rt, filepath.Join(root, fmt.Sprint(n)), url, fmt.Sprintf("ondemand%d", n))
		rows, values = rows+r, values+v
	})
	if values < rows/10 { // a law about nulls alone would say little
		t.Errorf("%d of the values of %d rows are not null", values, rows)
	}
}

// liveOnDemand plays a story. It returns how many values it compared, and how many of them were not null.
func liveOnDemand(t testing.TB, rt *rapid.T, dir, url, project string) (compared, present int) {
	s := drawStory(rt)
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
		[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(3), "three"}})
	writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, s.chapters[0].rows)
	w := newWorld(t, dir, 2, s.repo())
	defer os.RemoveAll(dir)
	defer w.close(t)
	holders := backends(t, dir, url, project)
	defer closeAll(t, holders)
	for n, c := range s.chapters {
		writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, c.rows)
		w.write(t, map[string]string{"ondemand.yaml": drawOnDemand(rt, s.views[len(s.views)-2].name)})
		rev := w.apply(t)
		list := w.service(t, rev, "asked")
		ref := fstore.ModelRef{Name: "m", Version: fmt.Sprint(n)}
		if _, _, err := w.db.PinModel(context.Background(), "law", registry.Pin{Model: ref, List: list, Now: far}); err != nil {
			t.Fatal(err)
		}
		lists := []*fstore.FeatureList{list}
		rev, err := w.db.Revision(context.Background(), "law")
		if err != nil {
			t.Fatal(err)
		}
		for earlier := range n + 1 {
			pinned, err := rev.ModelFeatures(fstore.ModelRef{Name: "m", Version: fmt.Sprint(earlier)})
			if err != nil {
				t.Fatal(err)
			}
			lists = append(lists, pinned)
		}
		for _, v := range usedBy(lists) {
			to := c.to // P(T) is what is published, for every view at once
			if p := v.View.Publish; p != nil {
				to = fstore.Micros(p.Servable(fstore.FromMicros(c.to)))
			}
			w.publishAll(t, holders, s.runs[n], to, v)
		}
		for _, l := range lists {
			a, b := w.holdsFor(t, rt, l, c.to, holders)
			compared, present = compared+a, present+b
		}
	}
	return compared, present
}

// usedBy returns the view versions that lists look up.
func usedBy(lists []*fstore.FeatureList) (versions []*fstore.ViewVersion) {
	for _, l := range lists {
		for _, u := range l.Uses {
			if !slices.Contains(versions, u.Version) {
				versions = append(versions, u.Version)
			}
		}
	}
	return versions
}

// holdsFor compares get with training for a list with on-demand features at an instant, for every key. Request columns are
// drawn.
func (w *world) holdsFor(t testing.TB, rt *rapid.T, list *fstore.FeatureList, at int64, holders []*holder) (compared, present int) {
	t.Helper()
	var labels []label
	var asked [][]any
	for _, g := range []any{"", "a", "b}", "c", nil} {
		for _, k := range []any{int64(1), int64(2), int64(3), int64(4), int64(5), nil} {
			var row []any
			for _, f := range list.Columns() {
				switch f.Name {
				case "g":
					row = append(row, g)
				case "k":
					row = append(row, k)
				default:
					row = append(row, drawValue(rt, f.Type))
				}
			}
			asked, labels = append(asked, row), append(labels, label{row, at})
		}
	}
	trained, _ := w.training(t, list, labels)
	for _, h := range holders {
		got := w.get(t, h, list, asked, at)
		for k := range asked {
			for f := range got[k] {
				if want := trained[k][f]; !same(got[k][f], want) {
					t.Fatalf("%s: at %d, %v = %v: %s: get %v, training %v\n%s", h.name, at, list.Columns(), asked[k],
						list.Outputs[f].Name(), got[k][f], want, w.definitions())
				}
				compared++
				if got[k][f] != nil {
					present++
				}
			}
		}
	}
	return compared, present
}

// names are what expressions may read, by the type as which they compute. Every name is in every story.
var names = map[string][]string{
	"int":   {"r_int", "r_small", "latest.x", "by_both.x", "hour(at, 'Europe/Zurich')", "minute(at)", "day_of_year(r_time)", "int64(at)"},
	"float": {"r_float", "r_single", "latest.y", "rec.y", "float64(latest.x)", "seconds(at - event(latest))", "hours(r_time - at)", "seconds(event(windows) - event(latest))", "sum(r_list)", "norm(r_list)"},
	"text":  {"r_text", "latest.text", "fixed.d", "by_both.z", "string(event(rec))", "string(latest.y)"},
	"bool":  {"r_flag", "is_null(latest.x)", "is_null(event(by_both))", "event(latest) < event(rec)", "r_time <= at", "latest.text in ['p', 'é']", "is_nan(r_float)"},
}

// forms combine expressions: %i, %f, %t and %b stand for one of a type.
var forms = map[string][]string{
	"int":   {"%i + %i", "%i - %i", "%i * %i", "%i / %i", "%i % %i", "%b ? %i : %i", "coalesce(%i, %i)", "length(%t)", "bucket(hash64(%t), 7)", "int64(%f)", "max(%i, %i)", "abs(%i)"},
	"float": {"%f + %f", "%f - %f", "%f * %f", "%f / %f", "%b ? %f : %f", "if_null(%f, %f)", "sqrt(%f)", "pow(%f, %f)", "float64(%i)", "round(%f, 1)", "clamp(%f, %f, %f)", "exp(%f)"},
	"text":  {"%t + %t", "%b ? %t : %t", "coalesce(%t, %t)", "upper(%t)", "substring(%t, %i, %i)", "string(%i)", "string(%b)"},
	"bool":  {"%i < %i", "%f >= %f", "%t == %t", "%b && %b", "%b || %b", "!%b", "%b ? %b : %b", "contains(%t, %t)", "%f != %f"},
}

// drawExpression returns an expression in parentheses.
func drawExpression(rt *rapid.T, kind string, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(rt, "leaf") == 0 {
		return "(" + rapid.SampledFrom(names[kind]).Draw(rt, "name") + ")"
	}
	var out strings.Builder
	form := rapid.SampledFrom(forms[kind]).Draw(rt, "form")
	for i := 0; i < len(form); i++ {
		of := map[byte]string{'i': "int", 'f': "float", 't': "text", 'b': "bool"}
		if form[i] == '%' && i+1 < len(form) && of[form[i+1]] != "" {
			out.WriteString(drawExpression(rt, of[form[i+1]], depth-1))
			i++
			continue
		}
		out.WriteByte(form[i])
	}
	return "(" + out.String() + ")"
}

// drawOnDemand returns the definitions of two on-demand views and a service with features of both. windows is the name of
// a view with windows that end at publications.
func drawOnDemand(rt *rapid.T, windows string) string {
	var b strings.Builder
	b.WriteString(`
kind: on_demand_view
name: asked_first
request:
  - {name: r_flag, type: bool}
  - {name: r_float, type: float64}
  - {name: r_int, type: int64, default: 7}
  - {name: r_list, type: list<float32>}
  - {name: r_single, type: float32}
  - {name: r_small, type: int32}
  - {name: r_text, type: string, default: none}
  - {name: r_time, type: timestamp}
uses: [latest.*, by_both.*, fixed.d, {ref: record.y, as: rec}, {ref: ` + windows + `.*, as: windows}]
features:
`)
	type feature struct{ kind, types, otherwise string }
	drawn := []feature{
		{"int", "int64 int32", "3"}, {"float", "float64 float32", "0.5"}, {"text", "string", "x"}, {"bool", "bool", "true"}, {"float", "float64 float32", "-1.0"},
	}
	write := func(i int, f feature, expression string) {
		fmt.Fprintf(&b, "  - {name: f%d, type: %s, expression: %q", i, rapid.SampledFrom(strings.Fields(f.types)).Draw(rt, "type"), expression)
		if rapid.IntRange(0, 2).Draw(rt, "has default") == 0 {
			b.WriteString(", default: " + f.otherwise)
		}
		b.WriteString("}\n")
	}
	for i, f := range drawn {
		write(i, f, drawExpression(rt, f.kind, 3))
	}
	b.WriteString("  - {name: again, type: float64, expression: \"f4 * 2 + f1\"}\n")
	b.WriteString("---\nkind: on_demand_view\nname: asked_second\nrequest: [{name: r_float, type: float64}]\nuses: [{ref: asked_first.*, as: first}]\nfeatures:\n")
	write(0, drawn[1], "first.again - r_float")
	write(1, drawn[2], "first.f2 + string(first.f0)")
	b.WriteString("---\nkind: feature_service\nname: asked\nrequest: {r_time: moment}\nfeatures: [asked_second.f1, latest.x, {ref: asked_first.*, prefix: a_}, {ref: asked_second.f0, as: last}]\n")
	return b.String()
}

// TestValuesOfTheLawOfOnDemandFeatures says what a few values are, so that the law does not hold because both sides are wrong
// in the same way.
func TestValuesOfTheLawOfOnDemandFeatures(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	const hour = 3_600_000_000
	writeTable(t, filepath.Join(dir, "src.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "event", Type: fstore.Timestamp}, {Name: "y", Type: fstore.Float64}},
		[][]any{{int64(1), int64(2 * hour), 4.0}, {int64(2), int64(hour), nil}})
	w := newWorld(t, dir, 2, map[string]string{"fstore.yaml": "project: law\n", "all.yaml": `
kind: entity
name: thing
join_keys: [{name: k, type: int64}]
---
{kind: source, name: src, path: src.parquet, event_timestamp: event}
---
{kind: feature_view, name: v, entities: [thing], source: src, ttl: 4h, features: [{name: y, type: float64}]}
---
kind: feature_view
name: w
entities: [thing]
source: src
publish: {every: 1h}
aggregations: [{name: n, function: count, type: int64, windows: [1h, lifetime]}]
---
kind: on_demand_view
name: asked
request: [{name: amount, type: float64}, {name: k, type: int64}]
uses: [v.y, w.n_1h]
features:
  - {name: share, type: float64, expression: amount / v.y, default: -1}
  - {name: waited, type: float64, expression: hours(at - event(v))}
  - {name: hour, type: int32, expression: hour(at)}
  - {name: even, type: bool, expression: k % 2 == 0}
  - {name: counted, type: timestamp, expression: event(w)}
---
{kind: feature_service, name: s, features: [asked.*]}
`})
	defer w.close(t)
	list := w.service(t, w.apply(t), "s")
	holders := backends(t, dir, startRedis(t), "values")
	defer closeAll(t, holders)
	keys := [][]any{{2.0, int64(1)}, {2.0, int64(2)}, {1.0, int64(3)}, {nil, int64(1)}, {1.0, nil}, {math.NaN(), int64(1)}}
	if c := list.Columns(); len(c) != 2 || c[0].Name != "amount" || c[1].Name != "k" {
		t.Fatalf("the columns are %v", c)
	}
	late := []any{-1.0, nil, int32(6), false, int64(6 * hour)}
	for _, c := range []struct {
		at   int64
		want [][]any
	}{
		{5 * hour, [][]any{
			{0.5, 3.0, int32(5), false, int64(5 * hour)},
			{-1.0, 4.0, int32(5), true, int64(5 * hour)},
			{-1.0, nil, int32(5), false, nil},
			{-1.0, 3.0, int32(5), false, int64(5 * hour)},
			{-1.0, nil, int32(5), nil, nil},
			{-1.0, 3.0, int32(5), false, int64(5 * hour)},
		}},
		{6*hour + 1, [][]any{
			late, {-1.0, nil, int32(6), true, int64(6 * hour)}, {-1.0, nil, int32(6), false, nil}, late, {-1.0, nil, int32(6), nil, nil}, late,
		}}, // beyond the ttl
	} {
		var labels []label
		for _, k := range keys {
			labels = append(labels, label{k, c.at})
		}
		check := func(engine string, got [][]any) {
			t.Helper()
			for i := range c.want {
				for f, want := range c.want[i] {
					if !same(got[i][f], want) {
						t.Errorf("%s at %d, %v: %s is %v, want %v", engine, c.at, keys[i], list.Outputs[f].Name(), got[i][f], want)
					}
				}
			}
		}
		got, _ := w.training(t, list, labels)
		check("training", got)
		for _, h := range holders {
			w.publish(t, h, 0, c.at, list.Uses[0].Version, list.Uses[1].Version)
			check(h.name, w.get(t, h, list, keys, c.at))
		}
	}
}
