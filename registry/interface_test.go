package registry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// served applies the shop and lets all of it serve.
func served(t *testing.T) *registry.Store {
	t.Helper()
	db := open(t)
	apply(t, db, shop(t))
	promoteAll(t, db)
	return db
}

func promoteAll(t *testing.T, db *registry.Store) {
	t.Helper()
	s, err := db.Revision(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	published := map[fstore.ViewRef]time.Time{}
	for _, v := range s.Live() {
		published[v.Ref] = epoch
	}
	promote(t, db, published)
}

// told is what a plan says to callers of services, a line each.
func told(p *registry.Plan) string {
	var out []string
	for _, s := range p.Services {
		for _, c := range s.Changes {
			line := s.Service + ": " + c.String()
			if c.Breaking {
				line += ", breaking"
			}
			out = append(out, line)
		}
		if s.To == 0 {
			out = append(out, s.Service+": goes, breaking")
		}
	}
	for _, name := range p.Forgotten {
		out = append(out, name+" is forgotten, breaking")
	}
	return strings.Join(out, "\n")
}

func TestWhatAPlanMeansForCallers(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  string
	}{
		{"nothing", nil, ""},
		{"a value that changes", []string{"customer_id is not null", "customer_id <> 12"}, ""},
		{"a description", []string{"owner: growth@", "owner: team@"}, ""},
		{
			"another key column",
			[]string{"keys: {airport: destination}, prefix: destination_}", "keys: {airport: via}, prefix: destination_}"},
			"churn: key column destination (string) is no longer needed\nchurn: callers must also send key column via (string), breaking\ndestination is forgotten, breaking",
		},
		{"an output goes", []string{"  - world.population\n", ""}, "churn: output population (int64) is removed, breaking"},
		{
			"an output is renamed",
			[]string{"as: last_order_value", "as: latest"},
			"churn: output last_order_value (float64) is removed, breaking\nchurn: output latest (float64) is added",
		},
		{"an output is added", []string{"  - world.population\n", "  - world.population\n  - {ref: world.population, as: people}\n"}, "churn: output people (int64) is added"},
		{"a type of an output", []string{"name: order_lines, type: int64", "name: order_lines, type: int32"}, "churn: output order_lines changes from int64 to int32, breaking"},
		{"a type of a key", []string{"name: customer_id, type: int64", "name: customer_id, type: int32"}, "churn: key column customer_id changes from int64 to int32, breaking"},
		{"another order", []string{"  - world.population\n  - order_trend.previous_value\n", "  - order_trend.previous_value\n  - world.population\n"}, ""},
		{"the service goes", []string{"kind: feature_service\nname: churn", "kind: feature_service\nname: other"}, "churn: goes, breaking"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plan(t, served(t), shop(t, c.edits...))
			if got := told(p); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if broken := strings.Contains(c.want, "breaking"); broken != (len(p.Breaking()) > 0) {
				t.Errorf("breaking is %v, want %v", p.Breaking(), broken)
			}
		})
	}
}

// Callers are only told of what serves, and what was accepted once is not refused again before it serves.
func TestACallIsBrokenOnce(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	without := []string{"  - world.population\n", ""}
	if got := told(plan(t, db, shop(t, without...))); got != "" {
		t.Errorf("nothing serves yet: %s", got)
	}
	promoteAll(t, db)
	apply(t, db, shop(t, without...))
	if got := told(plan(t, db, shop(t, append(without, "owner: growth@", "owner: team@")...))); got != "" {
		t.Errorf("it was accepted before: %s", got)
	}
	if got := told(plan(t, db, shop(t, append(without, "as: last_order_value", "as: latest")...))); !strings.Contains(got, "last_order_value (float64) is removed, breaking") || strings.Contains(got, "population") {
		t.Errorf("got %s", got)
	}
}

// Requests may carry the key columns of everything that is live: those of head before it serves, and those of what
// serves after head has left them.
func TestKeyColumnsThatRequestsMayCarry(t *testing.T) {
	db := served(t)
	apply(t, db, shop(t, "keys: {airport: destination}, prefix: destination_}", "keys: {airport: via}, prefix: destination_}"))
	s, err := db.Revision(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"customer_id", "origin", "destination", "via", "airport"} {
		if !s.SentColumns()[name] {
			t.Errorf("%s is not known", name)
		}
	}
	promoteAll(t, db)
	if s, err = db.Revision(context.Background(), "shop"); err != nil || s.SentColumns()["destination"] {
		t.Errorf("destination is still known, and nothing needs it (%v)", err)
	}
}

// A list of features that has an output named like a key is refused, as a service is.
func TestAnOutputIsNotNamedLikeAKey(t *testing.T) {
	s, err := served(t).Revision(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, resolve := range []func([]string) (*fstore.FeatureList, error){s.HeadFeatures, s.ServingFeatures} {
		_, err := resolve([]string{"customer_orders.order_value=customer_id"})
		if err == nil || !strings.Contains(err.Error(), "has the name of key column customer_id") {
			t.Errorf("got %v", err)
		}
	}
}
