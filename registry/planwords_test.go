package registry_test

import (
	"strings"
	"testing"
)

// What a plan says of a field is true whether the field is added, changed or gone.
func TestWhyAFieldCountsIsTrueOfTheChange(t *testing.T) {
	for _, c := range []struct {
		edit  []string
		field string
		want  string
	}{
		{[]string{"  - world.population\n", ""}, "features.population", "the service no longer has the output"},
		{[]string{"  - world.population\n", ""}, "uses.world", "the service no longer uses the view"},
	} {
		db := open(t)
		apply(t, db, shop(t))
		before, after := shop(t), shop(t, c.edit...)
		for _, way := range []struct{ from, to string }{{"gone", c.want}, {"added", strings.NewReplacer("no longer has the output", "has one more output", "no longer uses the view", "uses one more view").Replace(c.want)}} {
			d := after
			if way.from == "added" {
				d = before
			}
			p := plan(t, db, d)
			got := ""
			for _, change := range p.Changes {
				for _, f := range change.Fields {
					if f.Field == c.field {
						got = f.Why
					}
				}
			}
			if got != way.to {
				t.Errorf("%s is %s: got %q, want %q", c.field, way.from, got, way.to)
			}
			apply(t, db, d)
		}
	}
}
