package registry_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Writing the default availability of a source makes new versions of all that read it: without it, the versions that are
// there refuse files of days for ever. Any other availability says all there is to say by itself.
func TestStatingTheDefaultAvailability(t *testing.T) {
	const reader = `---
kind: feature_view
name: warmer
entities: [airport]
sql: warmer.sql
event_timestamp: 'day'
availability: event + 2d
features: [{name: t, type: float32}]
---
kind: feature_service`
	base := []string{
		"event_timestamp: day\navailability: event + 1d", "event_timestamp: day", "day DATE", "day TIMESTAMP",
		"---\nkind: feature_service", reader,
	}
	repo := func(t *testing.T, edits ...string) *definition.Definitions {
		archive := shopArchive(t, slices.Concat(base, edits)...)
		archive.Files = append(archive.Files, txtar.File{Name: "defs/warmer.sql", Data: []byte("select airport, day, temperature + 1 as t from airport_weather")})
		d, err := check(t, archive)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct{ stated, fresh, availability string }{
		{"availability: event", "airport_weather churn warmer", "event (default) → event"},
		{"availability: event + 1d", "airport_weather churn", "event (default) → event + 1d"}, // warmer has its own
	} {
		t.Run(c.stated, func(t *testing.T) {
			db := open(t)
			apply(t, db, repo(t))
			p := plan(t, db, repo(t, "event_timestamp: day\n", "event_timestamp: day\n"+c.stated+"\n"))
			var fresh []string
			for _, change := range p.Changes {
				if change.Version == registry.NewVersion {
					fresh = append(fresh, change.Name)
				}
				for _, f := range change.Fields {
					if strings.HasSuffix(f.Field, "availability") && f.Old+" → "+f.New != c.availability {
						t.Errorf("%s: %s: %s → %s, want %s", change.Name, f.Field, f.Old, f.New, c.availability)
					}
				}
			}
			if slices.Sort(fresh); strings.Join(fresh, " ") != c.fresh {
				t.Errorf("new versions of %v, want %s\n%s", fresh, c.fresh, summary(p))
			}
		})
	}
}
