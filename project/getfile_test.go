package project_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
)

const parcel = `
kind: on_demand_view
name: parcel
request:
  - {name: weight, type: float64}
  - {name: sizes, type: list<float32>}
  - {name: sent, type: timestamp}
  - {name: note, type: string}
  - {name: gift, type: bool, default: true}
uses: [{ref: customer_orders.order_value, as: last}]
features:
  - {name: per_weight, type: float64, expression: last.order_value / weight}
  - {name: longest, type: float32, expression: max(sizes)}
  - {name: waited, type: float64, expression: hours(at - sent)}
  - {name: loud, type: string, expression: upper(note)}
  - {name: is_gift, type: bool, expression: gift}
---
kind: feature_service
name: parcels
request: {weight: kilograms}
features: [customer_orders.order_value, parcel.*]
`

// The rows of a training set, given to get as they are in its labels or in the set itself, give what the set has.
func TestGetOfLabelsIsTraining(t *testing.T) {
	dir := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(scaffold.Example(dir))
	labels, out := filepath.Join(dir, "labels.csv"), filepath.Join(dir, "out.parquet")
	check(os.WriteFile(filepath.Join(dir, "parcel.yaml"), []byte(parcel), 0o600))
	check(os.WriteFile(labels, []byte("customer_id,kilograms,sizes,sent,note,event_timestamp\n"+
		"12003,2.5,\"[1, 2.5]\",2025-12-01T00:00:00.5Z,né,2025-12-01T06:00:00Z\n12003,,,,,2025-12-01T06:00:00Z\n12013,NaN,[],2025-11-01,7,2025-12-01T06:00:00Z\n1,0,[3],2026-01-01,,2025-12-01T06:00:00Z\n"), 0o600))
	p, err := project.Open(t.Context(), dir, project.Options{})
	check(err)
	defer p.Close()
	plan, err := p.Plan(t.Context())
	check(err)
	_, err = p.Apply(t.Context(), plan, project.ApplyOptions{})
	check(err)
	parcels := project.Selection{Service: "parcels"}
	_, err = p.CreateTrainingSet(t.Context(), project.TrainingSetRequest{Name: "t", Selection: parcels, Labels: labels, Out: out})
	check(err)
	_, err = p.Materialize(t.Context(), project.MaterializeRequest{To: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)})
	check(err)
	list, also, err := p.Serving(t.Context(), parcels)
	check(err)

	var outputs []fstore.RequestColumn
	for i, o := range list.Outputs {
		outputs = append(outputs, fstore.RequestColumn{Name: o.Name(), Type: list.Feature(i).Type})
	}
	set := project.NewKeyRows(&fstore.FeatureList{OnDemand: []*fstore.OnDemandVersion{{View: fstore.OnDemandView{Request: outputs}}}}, nil)
	check(p.ReadKeys(t.Context(), set, out))
	trained := map[string]string{}
	for i := range set.Columns {
		trained[set.Columns[i].Name] = string(set.Columns[i].AppendValuesJSON(nil))
	}
	at := time.Date(2025, 12, 1, 6, 0, 0, 0, time.UTC)
	for _, path := range []string{labels, out} {
		rows := project.NewKeyRows(list, also)
		check(p.ReadKeys(t.Context(), rows, path))
		answer, err := p.Get(t.Context(), list, rows.Columns, project.GetOptions{At: &at})
		check(err)
		for i := range answer.Features {
			got := answer.Features[i].Column.AppendValuesJSON(nil)
			if d := cmp.Diff(trained[outputs[i].Name], string(got)); d != "" {
				t.Errorf("%s, %s (-training +get):\n%s", filepath.Base(path), outputs[i].Name, d)
			}
		}
	}
	if got := trained["loud"]; got != `["NÉ",null,"7",null]` {
		t.Errorf("loud is %s", got)
	}
}
