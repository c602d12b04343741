package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
)

const parcels = `
kind: on_demand_view
name: parcel
request: [{name: weight, type: float64}, {name: tax, type: float64, default: 0.25}]
uses: [customer_orders.order_value]
features:
  - {name: by_weight, type: float64, expression: customer_orders.order_value / weight}
  - {name: gross, type: float64, expression: by_weight * (1.0 + tax), default: 0}
`

// parcelLock returns a project with a training set of on-demand features, and its lock.
func parcelLock(t *testing.T) (*project.Project, []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := scaffold.Example(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "parcels.yaml"), []byte(parcels), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := project.Open(t.Context(), dir, project.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, project.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	set, err := p.CreateTrainingSet(t.Context(), project.TrainingSetRequest{
		Name: "parcels", Selection: project.Selection{Features: []string{"parcel.*"}}, Out: filepath.Join(dir, "parcels.parquet"), LeakCheck: "off",
		LabelsSQL: "select 12003 as customer_id, timestamp '2025-06-01 03:00:00' as event_timestamp, 2.0 as weight",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(set.LockPath)
	if err != nil {
		t.Fatal(err)
	}
	return p, text
}

// A lock that was edited and sealed again is refused if an expression, a default or a type no longer has the meaning that
// the fingerprint encodes. Spaces have none.
func TestALockWithAnotherExpressionIsRefused(t *testing.T) {
	p, text := parcelLock(t)
	file := filepath.Join(t.TempDir(), "edited"+lock.Suffix)
	for _, c := range []struct {
		name, want string
		edit       func(*fstore.OnDemandVersion)
	}{
		{"as_it_was", "", func(*fstore.OnDemandVersion) {}},
		{"spaces", "", func(v *fstore.OnDemandVersion) {
			v.View.Features[0].Expression = "(customer_orders.order_value)/weight"
		}},
		{"swapped_operands", "does not match its fingerprint", func(v *fstore.OnDemandVersion) {
			v.View.Features[0].Expression = "weight / customer_orders.order_value"
		}},
		{"another_literal", "does not match its fingerprint", func(v *fstore.OnDemandVersion) { v.View.Features[1].Expression = "by_weight * (2.0 + tax)" }},
		{"another_default", "does not match its fingerprint", func(v *fstore.OnDemandVersion) { v.View.Request[1].Default.Float64s[0] = 0.5 }},
		{"no_default", "does not match its fingerprint", func(v *fstore.OnDemandVersion) { v.View.Features[1].Default = nil }},
		{"another_fingerprint", "does not match its fingerprint", func(v *fstore.OnDemandVersion) { v.Fingerprint = strings.Repeat("0", 64) }},
	} {
		l, err := lock.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		c.edit(l.OnDemand[0])
		sealed, err := lock.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, sealed, 0o644); err != nil {
			t.Fatal(err)
		}
		_, verifyErr := p.VerifyTrainingSet(t.Context(), file, project.VerifySetOptions{NoRebuild: true})
		_, diffErr := p.DiffTrainingSets(t.Context(), file, "parcels")
		for command, err := range map[string]error{"verify": verifyErr, "diff": diffErr} {
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %s: %v", c.name, command, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), "view parcel@1: its definition "+c.want)):
				t.Errorf("%s: %s: %v, want %s", c.name, command, err, c.want)
			}
		}
	}
}
