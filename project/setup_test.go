package project

import "testing"

// usersAndEvents are the entity and the source with which many repos of tests begin.
const usersAndEvents = `kind: entity
name: user
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: data/events.parquet
event_timestamp: ts
---
`

// applyAll applies what the repo of p defines.
func applyAll(t *testing.T, p *Project) {
	t.Helper()
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
}
