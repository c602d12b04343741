package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
)

// slow is a view whose rows become known 400 days after those of its source.
const slow = `
kind: feature_view
name: slow
entities: [customer]
sql: slow.sql
event_timestamp: invoice_date
created_timestamp: known_at
features: [{name: last_price, type: float64}]
`

const slowSQL = "select customer_id, invoice_date, loaded_at + interval 400 day as known_at, unit_price as last_price from lines where customer_id is not null\n"

// Without an as-of, a training set is as of now. Made again later it is the same, unless a row has become known in between: one
// of a source, or one whose created time the SQL of a view makes. Then it is a conflict, never the old training set.
func TestARowThatBecameKnownSinceMakesAnotherTrainingSet(t *testing.T) {
	dir := t.TempDir()
	if err := scaffold.Example(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"slow.yaml": slow, "slow.sql": slowSQL} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var now time.Time
	p, err := project.Open(t.Context(), dir, project.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	now = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, project.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, features string
		first, again   string
		conflict       string // empty: it is the same
	}{
		{"at_once", "customer_orders.*", "2025-06-01", "2025-06-01", ""},
		{"rows_of_a_source", "customer_orders.*", "2025-06-01", "2025-07-01", "source lines: rows have become known since 2025-06-01"},
		{"no_rows_left", "customer_orders.*", "2026-01-01", "2027-06-01", ""},
		{"rows_of_sql", "slow.*", "2026-03-01", "2026-04-01", "view slow@1: rows have become known since 2026-03-01"},
		{"no_rows_of_sql_left", "slow.*", "2027-03-01", "2027-04-01", ""},
		{"rows_of_another_source", "customer_profile.*", "2025-06-01", "2025-07-01", "source customers: rows have become known since 2025-06-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			create := func(at string) (*project.TrainingSet, error) {
				now, _ = time.Parse(time.DateOnly, at)
				return p.CreateTrainingSet(t.Context(), project.TrainingSetRequest{
					Name: c.name, Selection: project.Selection{Features: []string{c.features}}, LeakCheck: "off",
					Labels: filepath.Join(dir, "data/labels.parquet"), Out: filepath.Join(dir, c.name+".parquet"),
				})
			}
			first, err := create(c.first)
			if err != nil || first.Existing {
				t.Fatalf("%v, %v", first, err)
			}
			again, err := create(c.again)
			switch {
			case c.conflict == "":
				if err != nil || !again.Existing || again.Rows != first.Rows {
					t.Errorf("%v, %v", again, err)
				}
			case !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), c.conflict):
				t.Errorf("%v, want a conflict that says %s", err, c.conflict)
			}
		})
	}
}
